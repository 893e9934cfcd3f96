"""MaPO: prefer the winner of a pair without a reference."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor
from torch.nn.functional import logsigmoid

from mitune.diffusion.prediction import PredictionKind
from mitune.objectives import watched
from mitune.objectives.base import Denoising, Losses, Passes, Whole
from mitune.objectives.draws import Draws
from mitune.objectives.pairs import pair_errors
from mitune.objectives.policy import Policy
from mitune.objectives.rows import Pair


class MaPO(Denoising[Pair]):
    """e_w - beta log sigma(T [phi(e_w) - phi(e_l)]), phi(e) = s e / (exp(s e) - 1).

    Hong et al. 2024, arXiv:2406.06424, as the released code has it: errors e are means over a
    latent's elements, `snr` s and `timesteps` T are constants. With beta = 0 it is SFT on winners;
    the slope of phi at 0 is -s/2, so with the defaults it prefers as Diffusion-DPO with a beta of
    500 does. phi(0) = 1, where the code's quotient is not a number.
    """

    kind: Literal["mapo"] = "mapo"
    beta: NonNegativeFloat = 0.1
    snr: PositiveFloat = 0.5
    timesteps: PositiveFloat = 1000.0
    target: PredictionKind = "epsilon"

    rows: ClassVar[type[Pair]] = Pair
    passes: ClassVar[Passes] = Passes(0, 2)

    def loss(self, policy: Policy, rows: Pair, draws: Draws, whole: Whole) -> Tensor:
        """(E,) weighted losses."""
        return self.losses(policy, rows, draws, whole).values

    def losses(self, policy: Policy, rows: Pair, draws: Draws, whole: Whole) -> Losses:
        """As `Objective.losses`; `watched.of_errors`."""
        errors = pair_errors(policy, rows, draws, self.target)
        return Losses(rows.weights * self.of_errors(errors), watched.of_errors(errors))

    def of_errors(self, errors: Tensor) -> Tensor:
        """(E,) losses of the errors (2, E) of winners and losers."""
        winner, loser = x_over_expm1(self.snr * errors)
        return errors[0] - self.beta * logsigmoid(self.timesteps * (winner - loser))


def x_over_expm1(x: Tensor) -> Tensor:
    """The quotient x / (exp(x) - 1) of `x` >= 0: 1 at 0, with exact gradients everywhere."""
    small = x < 0.1
    # Bernoulli's series; its next term is below 1e-14 there. The quotient's gradient is a
    # difference of large numbers near 0, and of infinite ones if exp(x) is left to overflow.
    series = 1 - x / 2 + x**2 / 12 - x**4 / 720 + x**6 / 30240
    away = torch.where(small, 1.0, x)
    return torch.where(small, series, away * torch.exp(-away) / -torch.expm1(-away))
