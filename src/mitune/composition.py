"""Which candidates become the fine-tuning set: strategies over a candidates frame.

A strategy takes a frame with `prompt_id`, `image_index` and score columns and returns the chosen
rows with `rank` 1..k. Random and lowest picks are the controls that every claim needs.
"""

import hashlib
from typing import Annotated, Literal, TypeAlias

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from mitune.errors import UserError
from mitune.ranking import check_scores, order


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
        return _best(candidates, self.score, self.k, descending=True)


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
        return _best(candidates, self.score, self.k, descending=False)


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
        chosen = _best(candidates.assign(_lot=lots), "_lot", self.k, descending=False)
        return chosen.drop(columns="_lot")

    def _lots(self, rows: pd.DataFrame) -> pd.Series:
        """A random place for every candidate of one prompt, indexed as `rows`."""
        key = f"{self.seed}\x1f{rows['prompt_id'].iloc[0]}".encode()
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(key).digest()[:8], "big"))
        by_index = rows.sort_values("image_index", kind="stable").index
        return pd.Series(rng.permutation(len(rows)), index=by_index)


Composition: TypeAlias = Annotated[TopK | LowestK | RandomK, Field(discriminator="kind")]


def _best(candidates: pd.DataFrame, score: str, k: int, descending: bool) -> pd.DataFrame:
    check_scores(candidates, score)
    sizes = candidates.groupby("prompt_id", sort=False).size()
    if len(sizes) and sizes.min() < k:
        prompt = sizes.idxmin()
        raise UserError(f"k: {k} exceeds the {sizes.min()} candidates of prompt {prompt!r}")
    ordered = order(candidates, score, descending)
    return ordered[ordered["rank"] <= k].reset_index(drop=True)
