"""The worst k of each prompt: a control."""

from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, PositiveInt

from mitune.composition.base import best


class LowestK(BaseModel):
    """The k lowest by `score` of each prompt, rank 1 the lowest: a control.

    Raises ValueError as `TopK` does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["lowest_k"] = "lowest_k"
    score: str
    k: PositiveInt = 1

    def __call__(self, candidates: pd.DataFrame) -> pd.DataFrame:
        """The chosen rows of `candidates`, with `rank`."""
        return best(candidates, self.score, self.k, descending=False)
