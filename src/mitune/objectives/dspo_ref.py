"""DSPO-ref: DSPO where the reference paints better than the pictures of the set, as on SDXL."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import PositiveFloat, field_validator
from torch import Tensor

from mitune.objectives.beside_reference import BesideReference
from mitune.objectives.pairs import mean_squares, preference

_FAR = 0.1  # of the released code


class DSPORef(BesideReference):
    """(1 - sigma(z))^2, z the preference of Diffusion-DPO at `beta`.

    Zhu et al. 2025, eq. 47 (`simplified`). It is 1/4 at the reference, where its gradient is half
    that of Diffusion-DPO: a reweighted DPO rather than the matching of a score. `released` is what
    the code trains SDXL with: beside this, times d = ||eps_theta - eps_ref||^2 / N of the winner
    where d is 0.1 or more; per pair here, while the code asks the mean over a batch. Eq. 46 itself
    (`literal`) is refused: it is a multiple of d, so 0 with no gradient where training starts.
    """

    kind: Literal["dspo_ref"] = "dspo_ref"
    beta: PositiveFloat = 5000.0
    form: Literal["simplified", "released"] = "simplified"

    @field_validator("form", mode="before")
    @classmethod
    def _starts(cls, form: object) -> object:
        if form == "literal":
            raise ValueError(
                "literal (eq. 46) is a multiple of eps_theta - eps_ref, which is 0 at the start "
                "of training, and so is its gradient; give simplified (eq. 47)"
            )
        return form

    def of_residuals(self, tuned: Tensor, reference: Tensor) -> Tensor:
        """(E,) losses of the residuals (2, E, ...) of winners and losers."""
        z = preference(self.beta, mean_squares(tuned), mean_squares(reference))
        simplified = torch.sigmoid(-z).square()
        if self.form == "simplified":
            return simplified
        distance = mean_squares(tuned - reference)[0]
        return torch.where(distance >= _FAR, distance * simplified, simplified)
