"""DSPO: the score of preferred pictures, the loser of a pair only saying how far they are there."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import NonNegativeFloat, field_validator
from torch import Tensor

from mitune.objectives.beside_reference import BesideReference
from mitune.objectives.pairs import mean_squares, preference


class DSPO(BesideReference):
    """||eps_theta - eps - lam (1 - sigma(z)) (eps_theta - eps_ref)||^2 / N on the winner.

    Zhu et al. 2025, eqs. 13 and 14 with gamma = 1, as the released code trains SD 1.5: z is the
    preference of Diffusion-DPO with beta = lam, of means over the N elements, without the factors
    of t that the paper has in its reward; lam is not halved where it stands outside. `detach_gate`
    lets no gradient through 1 - sigma(z): the regression on a target that eqs. 10 to 13 derive;
    the released code lets it through, and only so does the loser move the weights.

    At the reference the gradient is 1 - lam/2 that of SFT on the winner, and none on the loser: at
    the paper's lam, 0.001, this is SFT but for 0.05 %, which belongs beside it as a control. What
    the released code trains SDXL with is `DSPORef`.
    """

    kind: Literal["dspo"] = "dspo"
    lam: NonNegativeFloat = 0.001
    detach_gate: bool = False

    @field_validator("lam")
    @classmethod
    def _learns_winners(cls, lam: float) -> float:
        if lam >= 1:
            raise ValueError(
                f"{lam} takes back {lam / 2:.0%} of what is learnt from winners; give less than 1 "
                "(the paper: 0.001), or dspo_ref for the form of SDXL with its large beta"
            )
        return lam

    def of_residuals(self, tuned: Tensor, reference: Tensor) -> Tensor:
        """(E,) losses of the residuals (2, E, ...) of winners and losers."""
        z = preference(self.lam, mean_squares(tuned), mean_squares(reference))
        gate = torch.sigmoid(-z)
        if self.detach_gate:
            gate = gate.detach()
        gate = gate.view(-1, *[1] * (tuned.ndim - 2))
        distance = tuned[0] - self.lam * gate * (tuned[0] - reference[0])
        return distance.square().flatten(1).mean(1)
