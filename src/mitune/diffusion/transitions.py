"""Steps of a stochastic sampler as laws: what policy gradients need of it."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Normal

from mitune.diffusion.noise import NoisePath, coefficients
from mitune.diffusion.prediction import Prediction


def transition(path: NoisePath, prediction: Prediction, later: Tensor) -> Normal:
    """Law of the state (B, ...) at the timesteps `later` (B,), less noisy than the prediction's.

    The posterior of the forward process with x0 as predicted: DDPM's ancestral sampler, DDIM at
    eta = 1 (Song et al. 2021, arXiv:2010.02502, eqs. 12 and 16), for any alpha and sigma, so that
    a rectified flow has it too. diffusers' schedulers draw from it without telling its density.
    Its deviation is 0 where `later` has no noise: there is no density then.
    """
    alpha, sigma = coefficients(path, later, prediction.z_t)
    # How much of the noise at `later` is known from that of now.
    known = prediction.alpha * sigma / (alpha * prediction.sigma)
    mean = alpha * prediction.x0 + known * sigma * prediction.eps
    deviation = (sigma * (1 - known.square()).sqrt()).expand_as(mean)
    return Normal(mean, deviation, validate_args=False)  # a check would wait for the accelerator


def mean_log_density(law: Normal, state: Tensor) -> Tensor:
    """(B,): log-density at `state` (B, ...), mean over its elements, as released codes take it."""
    density: Tensor = law.log_prob(state)
    return density.flatten(1).mean(1)
