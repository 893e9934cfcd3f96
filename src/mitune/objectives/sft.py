"""Supervised fine-tuning: the pre-training loss on a chosen set. MI-TUNE and GORS are this."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from mitune.diffusion.denoiser import Denoiser
from mitune.diffusion.noise import add_noise
from mitune.diffusion.prediction import Prediction, PredictionKind
from mitune.objectives.base import Single


class SFT(BaseModel):
    """w ||eps - eps_theta(z_t, p, t)||^2, mean over the latent (MI-TUNE Alg. 1, last line).

    MI-TUNE is this loss on the images its MI selects; GORS is this loss with reward weights.
    `target` says what is compared, whatever the network itself predicts: its noise by default,
    so that the loss of a model does not depend on its parametrisation; `flow`, eps - x0, is the
    loss of rectified flow; `sample`, x0, is s^2 times that, as the released code of RFMI has it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["sft"] = "sft"
    target: PredictionKind = "epsilon"

    def loss(self, denoiser: Denoiser, rows: Single, t: Tensor, noise: Tensor) -> Tensor:
        """(B,) weighted errors."""
        z_t = add_noise(denoiser.path, rows.latents, noise, t)
        predicted = denoiser.predict(z_t, t, rows.condition).to_kind(self.target)
        truth = Prediction.from_pair(
            noise, rows.latents, z_t, predicted.alpha, predicted.sigma, self.target
        )
        return rows.weights * (predicted.raw - truth.raw).square().flatten(1).mean(1)
