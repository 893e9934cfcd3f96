"""Any k of each prompt: the control that every claim needs."""

from __future__ import annotations

from typing import ClassVar, Literal

import pandas as pd
from pydantic import PositiveInt

from mitune.composition.base import RowKind, Strategy, best, prompt_generator
from mitune.ranking import check_scores
from mitune.seeds import Seed


class RandomK(Strategy):
    """k candidates of each prompt at random, ranked as drawn: a control.

    A prompt's pick depends on `seed`, the prompt and its image indices only, not on the other
    prompts or the order of rows. Raises UserError for k > M.
    """

    kind: Literal["random_k"] = "random_k"
    k: PositiveInt = 1
    seed: Seed = 0

    rows: ClassVar[RowKind] = "Single"

    @property
    def least(self) -> int:
        """Its k."""
        return self.k

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
        generator = prompt_generator(self.seed, rows["prompt_id"].iloc[0])
        by_index = rows.sort_values("image_index", kind="stable").index
        return pd.Series(generator.permutation(len(rows)), index=by_index)
