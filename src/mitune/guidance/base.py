"""The contract of guidance: settings that start a guide for one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from typing_extensions import Self

from mitune.backbones.base import Backbone
from mitune.diffusion.denoiser import Condition
from mitune.diffusion.guided import Guiding


class Guidance(Protocol):
    """An inference-time method: a frozen pydantic model; it may wrap another one."""

    def evaluations(self, steps: int) -> float:
        """Evaluations of the network on one latent, per image, in a sampling of `steps` steps."""
        ...

    def at_scale(self, scale: float) -> Self:
        """The same method with another guidance scale."""
        ...

    def start(
        self,
        model: Backbone,
        prompts: Sequence[str],
        condition: Condition,
        null: Condition,
        steps: int,
    ) -> Guiding:
        """A guide through `steps` steps of a batch of B images.

        `prompts` are B texts and `condition` (B rows) is what `model` makes of them; `null`, of B
        rows or one that serves them all, is the empty prompt's.
        """
        ...
