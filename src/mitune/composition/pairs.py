"""Pairs of pictures of one prompt, the better one preferred: self-made preferences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import NonNegativeFloat, PositiveInt

from mitune.composition.base import VALUE, RowKind, Strategy, lines, prompt_generator, ranked
from mitune.composition.score import Score, names_in
from mitune.errors import UserError
from mitune.seeds import Seed


class Pairs(Strategy):
    """k pairs of each prompt: the best picture preferred to k of those below it.

    `loser`: the `worst` of these, the `next` ones, or `random` ones. `distinct`: each picture wins
    once, so that the k best are the winners (the DSPO paper's nodup, which lets no prompt come
    twice, is k = 1). `margin`: the score of a winner is higher by so much, in the score's own unit;
    equal scores, and so equal pictures, make no pair at any margin. Where a prompt has fewer than k
    pairs it gives those it has.

    Two controls have the same pictures: `prefer: low` turns every pair round, `prefer: random`
    as a coin falls that depends on `seed` and the prompt alone.

    Raises UserError if there is no pair at all, and as `TopK`.
    """

    kind: Literal["pairs"] = "pairs"
    score: Score
    k: PositiveInt = 1
    loser: Literal["worst", "next", "random"] = "worst"
    distinct: bool = False
    margin: NonNegativeFloat = 0.0
    prefer: Literal["high", "low", "random"] = "high"
    seed: Seed = 0

    rows: ClassVar[RowKind] = "Pair"

    @property
    def scores(self) -> tuple[str, ...]:
        """As `Strategy.scores`."""
        return names_in(self.score)

    @property
    def least(self) -> int:
        """The k losers and their winner, or k winners and the loser of the last."""
        return self.k + 1

    def __call__(self, candidates: pd.DataFrame) -> pd.DataFrame:
        """Two lines per example, `role` winner and loser."""
        ordered = ranked(candidates, self.score)
        pairs = [
            pair for _, rows in ordered.groupby("prompt_id", sort=False) for pair in self._of(rows)
        ]
        if not pairs:
            raise UserError(
                f"margin: no two candidates of a prompt differ in {' and '.join(self.scores)}"
                f"{f' by {self.margin:g}' if self.margin else ''}; lower margin, choose another "
                "score, or make more candidates"
            )
        roles = np.tile(["winner", "loser"], len(pairs))
        return lines(ordered, [place for pair in pairs for place in pair], 2).assign(role=roles)

    def _of(self, rows: pd.DataFrame) -> Iterator[tuple[int, int]]:
        """Winners and losers of a prompt, as places in the ordered table."""
        first, score = rows.index[0], rows[VALUE].to_numpy("float64")
        generator = prompt_generator(self.seed, rows["prompt_id"].iloc[0])
        winners, losers_each = (range(self.k), 1) if self.distinct else (range(1), self.k)
        for winner in winners[: len(rows)]:
            gap = score[winner] - score
            below = np.flatnonzero((gap > 0) & (gap >= self.margin))
            for loser in self._chosen(below, generator)[:losers_each]:
                pair = first + winner, first + loser
                turned = self.prefer == "low"
                if self.prefer == "random":
                    turned = bool(generator.integers(2))
                yield pair[::-1] if turned else pair

    def _chosen(self, below: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Those below the winner, best first, in the order in which they are taken."""
        if self.loser == "random":
            return generator.permutation(below)
        return below if self.loser == "next" else below[::-1]
