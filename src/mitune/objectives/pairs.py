"""What losses on pairs share: both pictures at one timestep and noise, and who is preferred."""

from __future__ import annotations

import torch
from torch import Tensor

from mitune.diffusion.denoiser import Denoiser
from mitune.diffusion.prediction import PredictionKind
from mitune.objectives.draws import Draws
from mitune.objectives.errors import residuals
from mitune.objectives.rows import Captions, Pair


def pair_residuals(
    denoiser: Denoiser, rows: Pair, draws: Draws, target: PredictionKind = "epsilon"
) -> Tensor:
    """(2, E, C, h, w) residuals of winners and losers, in one evaluation of 2 E latents.

    One timestep and noise for both pictures of a pair, as the released codes have it; the
    equations of the papers have a noise for each.
    """
    numbers = rows.captions.numbers.repeat(2)
    both = Draws(draws.t.repeat(2), torch.cat([draws.noise, draws.noise]))
    condition = Captions(rows.captions.encoded, numbers).condition
    latents = torch.cat([rows.winner, rows.loser])
    return residuals(denoiser, latents, condition, both, target).unflatten(0, (2, -1))


def pair_errors(
    denoiser: Denoiser, rows: Pair, draws: Draws, target: PredictionKind = "epsilon"
) -> Tensor:
    """(2, E) squared errors of winners and losers, mean over a latent's elements."""
    return mean_squares(pair_residuals(denoiser, rows, draws, target))


def mean_squares(of_both: Tensor) -> Tensor:
    """(2, E) of `of_both` (2, E, ...)."""
    return of_both.square().flatten(2).mean(2)


def preference(beta: float, tuned: Tensor, reference: Tensor) -> Tensor:
    """(E,) log-odds that winners are preferred, of the errors (2, E) of winners and losers.

    -beta/2 [(e_w - e_l) - (e_w^ref - e_l^ref)]: the implicit reward of Diffusion-DPO, winner's
    minus loser's; 0 where training starts.
    """
    return -beta / 2 * ((tuned[0] - tuned[1]) - (reference[0] - reference[1]))
