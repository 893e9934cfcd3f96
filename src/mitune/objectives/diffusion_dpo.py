"""Diffusion-DPO: prefer the winner of a pair, without running away from the reference."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import PositiveFloat
from torch import Tensor
from torch.nn.functional import logsigmoid

from mitune.diffusion.prediction import PredictionKind
from mitune.objectives.base import Denoising, Passes, Whole
from mitune.objectives.draws import Draws
from mitune.objectives.pairs import pair_errors, preference
from mitune.objectives.policy import Policy
from mitune.objectives.rows import Pair


class DiffusionDPO(Denoising[Pair]):
    """-log sigma(-beta/2 [(e_w - e_l) - (e_w^ref - e_l^ref)]), e = ||eps - eps_theta||^2 / N.

    Wallace et al. 2023, arXiv:2311.12908, eq. 14, as the released code has it: means over the N
    elements of a latent where the paper sums (beta is its beta T omega / N), and one timestep and
    noise for both pictures of a pair. log 2 at the reference, whatever beta is.
    """

    kind: Literal["diffusion_dpo"] = "diffusion_dpo"
    beta: PositiveFloat = 2000.0
    target: PredictionKind = "epsilon"

    rows: ClassVar[type[Pair]] = Pair
    passes: ClassVar[Passes] = Passes(2, 2)

    def loss(self, policy: Policy, rows: Pair, draws: Draws, whole: Whole) -> Tensor:
        """(E,) weighted losses."""
        tuned = pair_errors(policy, rows, draws, self.target)
        reference = pair_errors(policy.reference, rows, draws, self.target)
        return rows.weights * self.of_errors(tuned, reference)

    def of_errors(self, tuned: Tensor, reference: Tensor) -> Tensor:
        """(E,) losses of the errors (2, E) of winners and losers."""
        return -logsigmoid(preference(self.beta, tuned, reference))
