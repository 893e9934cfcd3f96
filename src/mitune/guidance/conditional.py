"""The conditional model by itself: classifier-free guidance at w = 1, without its pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from mitune.diffusion.denoiser import Condition, Denoiser, HasDenoiser
from mitune.diffusion.guided import Guided


@dataclass(frozen=True)
class Conditional:
    """One evaluation a step, for images that are not scored on their path."""

    reads_attention: ClassVar[bool] = False

    def evaluations(self, steps: int) -> float:
        """One a step."""
        return steps

    def start(
        self,
        model: HasDenoiser,
        prompts: Sequence[str],
        condition: Condition,
        null: Condition,
        steps: int,
    ) -> ConditionalGuiding:
        """A guide that reads neither `prompts` nor `null`."""
        return ConditionalGuiding(model.denoiser, condition, steps)


@dataclass(frozen=True, eq=False)
class ConditionalGuiding:
    """The conditional model on one batch."""

    denoiser: Denoiser
    condition: Condition
    steps: int

    def __call__(self, index: int, z_t: Tensor, t: Tensor) -> Guided:
        """At `z_t` (B, ...), `t` (B,). The other branch is not a number, and so is any score."""
        predicted = self.denoiser.predict(z_t, t, self.condition)
        unknown = replace(predicted, raw=torch.full_like(predicted.raw, torch.nan))
        return Guided(predicted, unknown, predicted)
