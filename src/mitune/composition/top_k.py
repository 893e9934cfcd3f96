"""The best k of each prompt: MI-TUNE's own choice."""

from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, PositiveInt

from mitune.composition.base import best


class TopK(BaseModel):
    """The k highest by `score` of each prompt (MI-TUNE: MI, k = 1); ties by lower image index.

    Raises ValueError for k > M, an unknown column or a missing score.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["top_k"] = "top_k"
    score: str
    k: PositiveInt = 1

    def __call__(self, candidates: pd.DataFrame) -> pd.DataFrame:
        """The chosen rows of `candidates`, with `rank`."""
        return best(candidates, self.score, self.k, descending=True)
