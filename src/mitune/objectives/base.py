"""What a fine-tuning loss eats and returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from mitune.diffusion.denoiser import Condition, Denoiser


@dataclass(frozen=True, eq=False)
class Single:
    """A batch of clean latents (B, C, h, w) with their prompts, and weights (B,)."""

    latents: Tensor
    condition: Condition
    weights: Tensor


class Objective(Protocol):
    """A loss with its hyper-parameters; one value per row, reduced by the trainer alone."""

    def loss(self, denoiser: Denoiser, rows: Single, t: Tensor, noise: Tensor) -> Tensor:
        """(B,) losses at timesteps `t` (B,) with `noise` like the latents."""
        ...
