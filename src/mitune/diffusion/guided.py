"""From a noisy latent to a guided prediction, with its unguided pair."""

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

    @property
    def z_t(self) -> Tensor:
        """Where all three were taken, (B, ...): a guide may have moved it; the sampler follows."""
        return self.guided.z_t


class Guiding(Protocol):
    """A guidance on its way through one batch: model, prompts and number of steps are known."""

    @property
    def steps(self) -> int:
        """How many steps the sampler is to take."""
        ...

    def __call__(self, index: int, z_t: Tensor, t: Tensor) -> Guided:
        """Guide step `index` at `z_t` (B, ...), `t` (B,).

        Called without gradients: a guide that needs them enables them itself.
        """
        ...


def predict_pair(
    denoiser: Denoiser, z_t: Tensor, t: Tensor, condition: Condition, null: Condition
) -> tuple[Prediction, Prediction]:
    """(conditional, unconditional) at `z_t` (B, ...), from one call on [null; condition].

    `null` has B rows, or one that serves them all.
    """
    n = len(z_t)
    both = denoiser.predict(
        torch.cat([z_t, z_t]),
        torch.cat([t, t]),
        Condition.cat([null.expand(n), condition.expand(n)]),
    )
    return both[n:], both[:n]


def guide(conditional: Prediction, unconditional: Prediction, scale: float) -> Prediction:
    """eps_u + scale (eps_c - eps_u), in diffusers' convention: 1 is the conditional one.

    Taken on the raw outputs: it is affine at a common z_t, hence the same in every parametrisation.
    """
    c, u = conditional, unconditional
    return Prediction(u.raw + scale * (c.raw - u.raw), c.kind, c.z_t, c.alpha, c.sigma)
