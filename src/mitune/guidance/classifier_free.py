"""Classifier-free guidance (Ho and Salimans, 2022).

arXiv:2207.12598.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from mitune.diffusion.denoiser import Condition, Denoiser, HasDenoiser
from mitune.diffusion.guided import Guided, guide, predict_pair
from mitune.guidance.conditional import Conditional
from mitune.guidance.scaled import Scaled


class ClassifierFree(Scaled):
    """eps_g = eps_u + w (eps_c - eps_u), w = `scale`, in the convention of diffusers.

    w = 1 is the conditional model, w = 0 the unconditional one. The paper's omega (eq. 6) is
    w - 1. The combination is taken on the raw outputs: it is affine at a common z_t, hence the
    same in every parametrisation. Both branches are evaluated, at w = 1 too, because the mutual
    information is made of them; `without_pair` is for images that are not scored.
    """

    reads_attention: ClassVar[bool] = False

    kind: Literal["classifier_free"] = "classifier_free"

    @property
    def without_pair(self) -> ClassifierFree | Conditional:
        """At w = 1 the conditional branch is enough."""
        return Conditional() if self.scale == 1 else self

    def start(
        self,
        model: HasDenoiser,
        prompts: Sequence[str],
        condition: Condition,
        null: Condition,
        steps: int,
    ) -> ClassifierFreeGuiding:
        """A guide in one network call a step on [null; condition]; it does not read `prompts`."""
        return ClassifierFreeGuiding(self.scale, model.denoiser, condition, null, steps)


@dataclass(frozen=True, eq=False)
class ClassifierFreeGuiding:
    """Classifier-free guidance of one batch."""

    scale: float
    denoiser: Denoiser
    condition: Condition
    null: Condition
    steps: int

    def __call__(self, index: int, z_t: Tensor, t: Tensor) -> Guided:
        """Guide at `z_t` (B, ...), `t` (B,); all steps alike."""
        c, u = predict_pair(self.denoiser, z_t, t, self.condition, self.null)
        return Guided(c, u, guide(c, u, self.scale))
