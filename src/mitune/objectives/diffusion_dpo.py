"""Diffusion-DPO: prefer the winner of a pair, without running away from the reference."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveFloat
from torch import Tensor
from torch.nn.functional import logsigmoid

from mitune.objectives.beside_reference import BesideReference
from mitune.objectives.pairs import mean_squares, preference


class DiffusionDPO(BesideReference):
    """-log sigma(-beta/2 [(e_w - e_l) - (e_w^ref - e_l^ref)]), e = ||eps - eps_theta||^2 / N.

    Wallace et al. 2023, arXiv:2311.12908, eq. 14, as the released code has it: means over the N
    elements of a latent where the paper sums (beta is its beta T omega / N), and one timestep and
    noise for both pictures of a pair. log 2 at the reference, whatever beta is.
    """

    kind: Literal["diffusion_dpo"] = "diffusion_dpo"
    beta: PositiveFloat = 2000.0

    def of_residuals(self, tuned: Tensor, reference: Tensor) -> Tensor:
        """(E,) losses of the residuals (2, E, ...) of winners and losers."""
        return self.of_errors(mean_squares(tuned), mean_squares(reference))

    def of_errors(self, tuned: Tensor, reference: Tensor) -> Tensor:
        """(E,) losses of the errors (2, E) of winners and losers."""
        return -logsigmoid(preference(self.beta, tuned, reference))
