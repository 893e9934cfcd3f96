"""Which prompts to read."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt

from mitune.prompt_sources import SourceConfig, Split, SplitFiles
from mitune.seeds import Seed


class Prompts(BaseModel):
    """`source` is the layout of what `prompts` in globals.yml points to.

    No categories means all that a source has, and 0 per category all prompts.

    `overlong`: what to do about a prompt that no text encoder of the model reads to its end.
    `refuse` the run; `drop` it before prompts are drawn, so that the numbers asked for are still
    reached; or `truncate`: the prompt stays as it is and the encoder cuts it off.

    `evaluate_on`: models are compared on `test` prompts; choose settings on `tuning`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: SourceConfig = SplitFiles()
    categories: tuple[str, ...] = ()
    train_per_category: NonNegativeInt = 0
    tuning_per_category: NonNegativeInt = 0
    test_per_category: NonNegativeInt = 0
    overlong: Literal["refuse", "drop", "truncate"] = "refuse"
    evaluate_on: Literal["test", "tuning"] = "test"
    seed: Seed = 0

    @property
    def per_category(self) -> dict[Split, int]:
        """How many of each split."""
        return {
            "train": self.train_per_category,
            "tuning": self.tuning_per_category,
            "test": self.test_per_category,
        }
