"""Score finished latents with several estimators at once, all from the same draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.diffusion.sampling import renoise
from mitune.estimators.information import Information

if TYPE_CHECKING:
    from mitune.estimators import DrawEstimator


@torch.no_grad()
def information(
    denoiser: Denoiser,
    z0: Tensor,
    condition: Condition,
    null: Condition,
    estimators: Sequence[DrawEstimator],
    generator: torch.Generator,
) -> tuple[Information, ...]:
    """Score finished latents `z0` (B, ...) with each estimator, all from the same draws.

    Noise levels and noises come from the one `generator` and are shared by the batch: seeded from
    the prompt, all its candidates meet the same noise, whatever the batch size. Comparing
    estimators costs nothing.

    Raises ValueError if the estimators do not agree on where they noise.
    """
    if len({e.shared for e in estimators}) != 1:
        raise ValueError("estimators: need the same draws, log_snr and antithetic to share draws")
    plan = estimators[0]
    per_stratum = plan.draws // plan.strata
    log_snr, weights = plan.plan(denoiser.path, generator)
    times = denoiser.path.timesteps_at(log_snr)
    noises = plan.noises(z0.shape[1:], generator)
    stream = renoise(denoiser, z0, condition, null, times.repeat_interleave(per_stratum), noises)
    shares = (weights / per_stratum).repeat_interleave(per_stratum).tolist()
    rows = [
        [e.increment(draw, share) for e in estimators]
        for draw, share in zip(stream, shares, strict=True)
    ]
    met = denoiser.path.log_snr(times.to(torch.float64))
    return tuple(
        Information(torch.stack(column, dim=1).view(len(z0), -1, per_stratum).sum(-1), met, True)
        for column in zip(*rows, strict=True)
    )
