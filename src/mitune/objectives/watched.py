"""What a preference loss does besides falling: it hardly falls, and that says little."""

from __future__ import annotations

import torch
from torch import Tensor

from mitune.objectives.pairs import mean_squares


@torch.no_grad()
def of_pairs(tuned: Tensor, reference: Tensor) -> dict[str, Tensor]:
    """(E,) each, of the residuals (2, E, ...) of winners and losers.

    `gain`: e_ref - e of the winner, e the squared error an element. `margin`: by how much it is
    more than the loser's: the implicit reward of Diffusion-DPO, but for beta / 2. `accuracy`:
    whether there is a margin, 1/2 where there is none yet. `drift`: the squared distance of the two
    models' predictions, an element, of both pictures.
    """
    gains = mean_squares(reference) - mean_squares(tuned)
    margin = gains[0] - gains[1]
    return {
        "accuracy": _share_above_zero(margin),
        "margin": margin,
        "gain": gains[0],
        "drift": mean_squares(tuned - reference).mean(0),
    }


@torch.no_grad()
def of_errors(errors: Tensor) -> dict[str, Tensor]:
    """(E,) each, of the errors (2, E) of winners and losers where there is no reference.

    `margin`: the loser's less the winner's. `accuracy` as `of_pairs`.
    """
    margin = errors[1] - errors[0]
    return {"accuracy": _share_above_zero(margin), "margin": margin}


@torch.no_grad()
def of_labels(gains: Tensor, liked: Tensor) -> dict[str, Tensor]:
    """(E,) each, of gains (E,) e_ref - e of pictures that are `liked` (E,) or not.

    `margin`: the gain of a liked picture, the loss of another. `accuracy` as `of_pairs`.
    """
    margin = torch.where(liked, gains, -gains)
    return {"accuracy": _share_above_zero(margin), "margin": margin}


@torch.no_grad()
def of_pictures(tuned: Tensor, reference: Tensor) -> dict[str, Tensor]:
    """`gain` and `drift` as `of_pairs`, of the residuals (E, ...) of single pictures."""
    of_each = [each.square().flatten(1).mean(1) for each in (tuned, reference, tuned - reference)]
    return {"gain": of_each[1] - of_each[0], "drift": of_each[2]}


@torch.no_grad()
def of_steps(rewards: Tensor, log_ratios: Tensor, clip: float) -> dict[str, Tensor]:
    """(E,) each: `reward` of one's own pictures; `outside`, whether a step is beyond the clip.

    `log_ratios` (E,) are those of densities of the steps, log rho.
    """
    outside = (log_ratios.exp() - 1).abs() > clip
    return {"reward": rewards, "outside": outside.to(rewards)}


def _share_above_zero(margin: Tensor) -> Tensor:
    return (margin.sign() + 1) / 2
