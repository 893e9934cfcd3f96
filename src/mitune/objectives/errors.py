"""How far a model is from the truth at a noisy latent: what most losses are made of."""

from __future__ import annotations

from torch import Tensor

from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.diffusion.noise import add_noise
from mitune.diffusion.prediction import Prediction, PredictionKind
from mitune.objectives.draws import Draws


def residuals(
    denoiser: Denoiser,
    latents: Tensor,
    condition: Condition,
    draws: Draws,
    target: PredictionKind = "epsilon",
) -> Tensor:
    """(E, C, h, w) prediction minus truth at noised `latents` (E, C, h, w), both as `target`.

    Those of two models at the same draws differ as their predictions do.
    """
    z_t = add_noise(denoiser.path, latents, draws.noise, draws.t)
    predicted = denoiser.predict(z_t, draws.t, condition).to_kind(target)
    truth = Prediction.from_pair(
        draws.noise, latents, z_t, predicted.alpha, predicted.sigma, target
    )
    return predicted.raw - truth.raw


def errors(
    denoiser: Denoiser,
    latents: Tensor,
    condition: Condition,
    draws: Draws,
    target: PredictionKind = "epsilon",
) -> Tensor:
    """(E,) squared errors at noised `latents` (E, C, h, w), mean over a latent's elements.

    Compared as `target`, whatever the network itself predicts. The papers print sums over the
    N = C h w elements, their code takes means (methods of the DPO family): a strength beta in front
    of a mean is N times weaker than in front of a sum, and so hangs on the resolution.
    """
    return residuals(denoiser, latents, condition, draws, target).square().flatten(1).mean(1)
