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
    owners = torch.zeros(len(z0), dtype=torch.long)
    (scores,) = information_of_groups(
        denoiser, z0, condition, null, estimators, [generator], owners
    )
    return scores


@torch.no_grad()
def information_of_groups(
    denoiser: Denoiser,
    z0: Tensor,
    condition: Condition,
    null: Condition,
    estimators: Sequence[DrawEstimator],
    generators: Sequence[torch.Generator],
    owners: Tensor,
) -> list[tuple[Information, ...]]:
    """`information` of several groups of latents at once, in full batches.

    Group g (the candidates of a prompt) is where `owners` (B,) is g, and draws from
    `generators[g]` alone: its scores are those it would have by itself, up to rounding. One tuple
    for each group, its rows in their order.

    Raises ValueError if the estimators do not agree on where they noise.
    """
    if len({e.shared for e in estimators}) != 1:
        raise ValueError("estimators: need the same draws, log_snr and antithetic to share draws")
    plan = estimators[0]
    per_stratum = plan.draws // plan.strata
    plans = [plan.plan(denoiser.path, generator) for generator in generators]
    times = torch.stack([denoiser.path.timesteps_at(log_snr) for log_snr, _ in plans], dim=1)
    shares = torch.stack([weights / per_stratum for _, weights in plans], dim=1)[:, owners]
    noises = zip(*(plan.noises(z0.shape[1:], g) for g in generators), strict=True)
    stream = renoise(
        denoiser,
        z0,
        condition,
        null,
        times[:, owners].repeat_interleave(per_stratum, dim=0),
        (torch.stack(each)[owners] for each in noises),
    )
    weights = shares.to(z0.device, torch.promote_types(z0.dtype, torch.float32))
    rows = [
        [e.increment(draw, weight) for e in estimators]
        for draw, weight in zip(stream, weights.repeat_interleave(per_stratum, dim=0), strict=True)
    ]
    met = denoiser.path.log_snr(times.to(torch.float64))
    columns = [
        torch.stack(column, dim=1).view(len(z0), -1, per_stratum).sum(-1)
        for column in zip(*rows, strict=True)
    ]
    return [
        tuple(
            Information(column[(owners == g).to(column.device)], met[:, g], True)
            for column in columns
        )
        for g in range(len(generators))
    ]
