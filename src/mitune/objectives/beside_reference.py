"""What losses on pairs share that ask a reference: residuals of both models, and what they show."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from mitune.diffusion.prediction import PredictionKind
from mitune.objectives import watched
from mitune.objectives.base import Denoising, Losses, Passes, Whole
from mitune.objectives.draws import Draws
from mitune.objectives.pairs import pair_residuals
from mitune.objectives.policy import Policy
from mitune.objectives.rows import Pair
from mitune.objectives.rows.base import Rows


class BesideReference(Denoising[Pair], ABC):
    """A loss of the residuals of the policy and of its reference, at both pictures of a pair."""

    target: PredictionKind = "epsilon"

    rows: ClassVar[type[Rows]] = Pair
    passes: ClassVar[Passes] = Passes(2, 2)

    @abstractmethod
    def of_residuals(self, tuned: Tensor, reference: Tensor) -> Tensor:
        """(E,) losses of the residuals (2, E, ...) of winners and losers."""

    def loss(self, policy: Policy, rows: Pair, draws: Draws, whole: Whole) -> Tensor:
        """(E,) weighted losses."""
        return self.losses(policy, rows, draws, whole).values

    def losses(self, policy: Policy, rows: Pair, draws: Draws, whole: Whole) -> Losses:
        """As `Objective.losses`; `watched.of_pairs`."""
        tuned = pair_residuals(policy, rows, draws, self.target)
        reference = pair_residuals(policy.reference, rows, draws, self.target)
        values = rows.weights * self.of_residuals(tuned, reference)
        return Losses(values, watched.of_pairs(tuned, reference))
