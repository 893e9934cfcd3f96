"""How a model is tested."""

from __future__ import annotations

from pydantic import PositiveInt

from mitune.candidates import Generation, Scoring


class Evaluation(Generation):
    """Generation on the test prompts; seeds are the same for every model, so scores pair up."""

    scoring: Scoring = Scoring(path=None)
    keep_pictures: PositiveInt = 2

    @property
    def generation(self) -> Generation:
        """How the images are made."""
        return Generation(**{name: getattr(self, name) for name in Generation.model_fields})
