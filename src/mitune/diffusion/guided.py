"""The contract of guidance: from a noisy latent to a guided prediction, with its unguided pair."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.diffusion.prediction import Prediction


@dataclass(frozen=True, eq=False)
class Guided:
    """Both unguided branches at one z_t, and the prediction that drives the sampler.

    The pair is what the mutual information is made of, so scoring costs no second pass.
    """

    conditional: Prediction
    unconditional: Prediction
    guided: Prediction


class Guidance(Protocol):
    """An inference-time method; it may wrap another one."""

    def __call__(
        self, denoiser: Denoiser, z_t: Tensor, t: Tensor, condition: Condition, null: Condition
    ) -> Guided:
        """Guide at `z_t` (B, ...), `t` (B,); `null` has B rows, or one that serves them all."""
        ...


def predict_pair(
    denoiser: Denoiser, z_t: Tensor, t: Tensor, condition: Condition, null: Condition
) -> tuple[Prediction, Prediction]:
    """(conditional, unconditional) at `z_t` (B, ...), from one call on [null; condition]."""
    n = len(z_t)
    both = denoiser.predict(
        torch.cat([z_t, z_t]),
        torch.cat([t, t]),
        Condition.cat([null.expand(n), condition.expand(n)]),
    )
    return both[n:], both[:n]
