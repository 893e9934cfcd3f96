"""All pictures that pass a threshold, however many a prompt has."""

from __future__ import annotations

from typing import ClassVar, Literal

import pandas as pd
from pydantic import PositiveInt

from mitune.composition.base import VALUE, RowKind, Strategy
from mitune.composition.threshold import Threshold, above


class Above(Strategy):
    """Candidates with `score` above `threshold`; k, if given, is the most of a prompt.

    A prompt none of whose pictures passes gives none. Raises UserError if nothing passes at all.
    """

    kind: Literal["above"] = "above"
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
        """The chosen rows of `candidates`, with `rank`."""
        return above(candidates, self.score, self.threshold, self.k).drop(columns=VALUE)
