"""DSPO-E: DSPO whose reward is of one picture, so that it needs no loser."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import NonNegativeFloat, field_validator
from torch import Tensor

from mitune.diffusion.prediction import PredictionKind
from mitune.objectives import watched
from mitune.objectives.base import Denoising, Losses, Passes, Whole
from mitune.objectives.draws import Draws
from mitune.objectives.errors import residuals
from mitune.objectives.policy import Policy
from mitune.objectives.rows import Single


class DSPOEnergy(Denoising[Single]):
    """||eps_theta - eps - gamma_beta (eps_theta - eps_ref)||^2 / N.

    Zhu et al. 2025, eq. 45, its gamma beta as one number, without A(t); a mean over the N elements
    as in `DSPO`. No code is released, and no value of gamma_beta printed. Least where eps_theta =
    (eps - gamma_beta eps_ref) / (1 - gamma_beta): beyond the truth, away from the reference. There
    the gradient is 1 - gamma_beta that of SFT.
    """

    kind: Literal["dspo_e"] = "dspo_e"
    gamma_beta: NonNegativeFloat = 0.05
    target: PredictionKind = "epsilon"

    rows: ClassVar[type[Single]] = Single
    passes: ClassVar[Passes] = Passes(1, 1)

    @field_validator("gamma_beta")
    @classmethod
    def _learns_pictures(cls, gamma_beta: float) -> float:
        if gamma_beta >= 1:
            raise ValueError(
                f"{gamma_beta} takes back {gamma_beta:.0%} of what is learnt from the pictures; "
                "give less than 1"
            )
        return gamma_beta

    def loss(self, policy: Policy, rows: Single, draws: Draws, whole: Whole) -> Tensor:
        """(E,) weighted losses."""
        return self.losses(policy, rows, draws, whole).values

    def losses(self, policy: Policy, rows: Single, draws: Draws, whole: Whole) -> Losses:
        """As `Objective.losses`; `watched.of_pictures`."""
        tuned, reference = (
            residuals(model, rows.latents, rows.captions.condition, draws, self.target)
            for model in (policy, policy.reference)
        )
        values = rows.weights * self.of_residuals(tuned, reference)
        return Losses(values, watched.of_pictures(tuned, reference))

    def of_residuals(self, tuned: Tensor, reference: Tensor) -> Tensor:
        """(E,) losses of residuals (E, ...)."""
        distance = tuned - self.gamma_beta * (tuned - reference)
        return distance.square().flatten(1).mean(1)
