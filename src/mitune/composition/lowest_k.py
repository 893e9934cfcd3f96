"""The worst k of each prompt: a control."""

from __future__ import annotations

from typing import ClassVar, Literal

import pandas as pd
from pydantic import PositiveInt

from mitune.composition.base import RowKind, Strategy, best
from mitune.composition.score import Score, names_in


class LowestK(Strategy):
    """The k lowest by `score` of each prompt, rank 1 the lowest: a control.

    Raises UserError as `TopK` does.
    """

    kind: Literal["lowest_k"] = "lowest_k"
    score: Score
    k: PositiveInt = 1

    rows: ClassVar[RowKind] = "Single"

    @property
    def scores(self) -> tuple[str, ...]:
        """As `Strategy.scores`."""
        return names_in(self.score)

    @property
    def least(self) -> int:
        """Its k."""
        return self.k

    def __call__(self, candidates: pd.DataFrame) -> pd.DataFrame:
        """The chosen rows of `candidates`, with `rank`."""
        return best(candidates, self.score, self.k, descending=False)
