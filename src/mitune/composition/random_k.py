"""Any k of each prompt: the control that every claim needs."""

import hashlib
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from mitune.composition.base import best
from mitune.ranking import check_scores


class RandomK(BaseModel):
    """k candidates of each prompt at random, ranked as drawn: a control.

    A prompt's pick depends on `seed`, the prompt and its image indices only, not on the other
    prompts or the order of rows. Raises ValueError for k > M.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["random_k"] = "random_k"
    k: PositiveInt = 1
    seed: int = Field(default=0, ge=0)

    def __call__(self, candidates: pd.DataFrame) -> pd.DataFrame:
        """The chosen rows of `candidates`, with `rank`."""
        check_scores(candidates, "image_index")
        candidates = candidates.reset_index(drop=True)
        lots = pd.concat(
            [self._lots(rows) for _, rows in candidates.groupby("prompt_id", sort=False)]
        )
        chosen = best(candidates.assign(_lot=lots), "_lot", self.k, descending=False)
        return chosen.drop(columns="_lot")

    def _lots(self, rows: pd.DataFrame) -> pd.Series:
        """A random place for every candidate of one prompt, indexed as `rows`."""
        key = f"{self.seed}\x1f{rows['prompt_id'].iloc[0]}".encode()
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(key).digest()[:8], "big"))
        by_index = rows.sort_values("image_index", kind="stable").index
        return pd.Series(rng.permutation(len(rows)), index=by_index)
