"""GORS: pictures that pass a threshold, each weighed by its reward."""

from __future__ import annotations

from typing import ClassVar, Literal

import pandas as pd
from pydantic import PositiveInt

from mitune.composition.base import VALUE, RowKind, Strategy
from mitune.composition.threshold import Threshold, above
from mitune.errors import UserError


class Weighted(Strategy):
    """As `Above`, with `weight` = `score`: generative model fine-tuning with reward-driven samples.

    Huang et al. (2023), T2I-CompBench, section 5, arXiv:2307.06350: the loss of a picture times its
    reward. As in the released code there is a threshold too, and weights are not normalised, so
    that a smaller reward is a smaller learning rate.

    Raises UserError if nothing passes, or if a weight is not above 0.
    """

    kind: Literal["weighted"] = "weighted"
    score: str
    threshold: Threshold
    k: PositiveInt | None = None

    rows: ClassVar[RowKind] = "Single"

    @property
    def scores(self) -> tuple[str, ...]:
        """As `Strategy.scores`."""
        return (self.score,)

    @property
    def least(self) -> int:
        """One."""
        return 1

    def __call__(self, candidates: pd.DataFrame) -> pd.DataFrame:
        """The chosen rows of `candidates`, with `rank` and `weight`."""
        chosen = above(candidates, self.score, self.threshold, self.k)
        if chosen[VALUE].min() <= 0:
            raise UserError(
                f"threshold: {self.score} is a weight and goes down to {chosen[VALUE].min():.4g}, "
                "which would train against a picture; raise threshold to 0 or more"
            )
        return chosen.rename(columns={VALUE: "weight"})
