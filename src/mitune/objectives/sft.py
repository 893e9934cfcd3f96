"""Supervised fine-tuning: the pre-training loss on a chosen set. MI-TUNE and GORS are this."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from mitune.denoiser import Denoiser
from mitune.noise import add_noise
from mitune.objectives.base import Single


class SFT(BaseModel):
    """w ||eps - eps_theta(z_t, p, t)||^2, mean over the latent (MI-TUNE Alg. 1, last line).

    MI-TUNE is this loss on the images its MI selects; GORS is this loss with reward weights.
    Departure: v- and flow-predictions are compared as noise too, so that the loss of a model does
    not depend on its parametrisation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["sft"] = "sft"

    def loss(self, denoiser: Denoiser, rows: Single, t: Tensor, noise: Tensor) -> Tensor:
        """(B,) weighted errors."""
        z_t = add_noise(denoiser.path, rows.latents, noise, t)
        predicted = denoiser.predict(z_t, t, rows.condition).eps.float()
        return rows.weights * (predicted - noise).square().flatten(1).mean(1)
