"""The best k of each prompt: MI-TUNE's own choice."""

from __future__ import annotations

from typing import ClassVar, Literal

import pandas as pd
from pydantic import PositiveInt

from mitune.composition.base import RowKind, Strategy, best
from mitune.composition.score import Score, names_in


class TopK(Strategy):
    """The k highest by `score` of each prompt (MI-TUNE: MI, k = 1); ties by lower image index.

    Raises UserError for k > M, an unknown column or a missing score.
    """

    kind: Literal["top_k"] = "top_k"
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
        return best(candidates, self.score, self.k, descending=True)
