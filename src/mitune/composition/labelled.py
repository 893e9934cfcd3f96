"""Pictures that are liked and pictures that are not: the rows of Diffusion-KTO."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import PositiveInt, model_validator

from mitune.composition.base import VALUE, RowKind, Strategy, lines, prompt_generator, ranked
from mitune.composition.score import Score, names_in
from mitune.composition.threshold import Threshold, passing
from mitune.errors import UserError
from mitune.seeds import Seed


class Labelled(Strategy):
    """The k best of each prompt, `label` 1 (liked), and its k worst, `label` 0 (disliked).

    With a `threshold` the liked are the k best above it and the disliked the k worst of the others;
    k null: all of them. Without one, the i-th best and the i-th worst are left out where their
    scores are equal.

    Two controls have the same pictures: `prefer: low` turns every label round, `prefer: random`
    shuffles them within each prompt.

    Raises UserError if all labels are of one class, and as `TopK`.
    """

    kind: Literal["labelled"] = "labelled"
    score: Score
    k: PositiveInt | None = 1
    threshold: Threshold | None = None
    prefer: Literal["high", "low", "random"] = "high"
    seed: Seed = 0

    rows: ClassVar[RowKind] = "Labelled"

    @model_validator(mode="after")
    def _bounded(self) -> Labelled:
        if self.k is None and self.threshold is None:
            raise ValueError("k: null needs a threshold; give one of them a number")
        return self

    @property
    def scores(self) -> tuple[str, ...]:
        """As `Strategy.scores`."""
        return names_in(self.score)

    @property
    def least(self) -> int:
        """2k by rank; by threshold one."""
        return 2 * self.k if self.k and self.threshold is None else 1

    def __call__(self, candidates: pd.DataFrame) -> pd.DataFrame:
        """One line per example, `role` image, with `label`."""
        ordered = ranked(candidates, self.score)
        likes = None if self.threshold is None else passing(ordered, self.threshold)
        places: list[int] = []
        labels: list[int] = []
        for prompt_id, rows in ordered.groupby("prompt_id", sort=False):
            if likes is None:
                liked, disliked = self._by_rank(rows)
            else:
                liked, disliked = self._by_threshold(likes[rows.index])
            own = np.repeat([1, 0], [len(liked), len(disliked)])
            if self.prefer == "low":
                own = 1 - own
            if self.prefer == "random":
                own = prompt_generator(self.seed, prompt_id).permutation(own)
            places += [*liked, *disliked]
            labels += [int(label) for label in own]
        self._check(labels, ordered)
        return lines(ordered, places, 1).assign(role="image", label=labels)

    def _by_rank(self, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """The i-th best and the i-th worst while they differ."""
        count = min(self.k or 0, len(rows) // 2)
        best, worst = rows.index.to_numpy()[:count], rows.index.to_numpy()[::-1][:count]
        score = rows[VALUE]
        differ = score[best].to_numpy() > score[worst].to_numpy()
        return best[differ], worst[differ]

    def _by_threshold(self, likes: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """The first k that pass, and from the last on the k that do not."""
        liked, disliked = likes.index[likes].to_numpy(), likes.index[~likes].to_numpy()[::-1]
        return liked[: self.k], disliked[: self.k]

    def _check(self, labels: list[int], ordered: pd.DataFrame) -> None:
        names = " and ".join(self.scores)
        if not labels:
            raise UserError(f"score: no two candidates of a prompt differ in {names}")
        if len(set(labels)) == 1:
            word = "liked" if labels[0] else "disliked"
            low, high = ordered[VALUE].min(), ordered[VALUE].max()
            raise UserError(
                f"threshold: every picture is {word}; {names} goes from {low:.4g} to {high:.4g}: "
                "choose a threshold between them"
            )
