"""Intervals: surveys are drawn again, whole, because the answers of a person go together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

RESAMPLES = 2000
_TAILS = (0.025, 0.975)
_FEWEST = 2


@dataclass(frozen=True, eq=False)
class Estimate:
    """A number, and what it comes to in each resampling."""

    value: float
    replicates: NDArray[np.float64]
    surveys: int
    answers: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 % percentile interval; not a number if a part of it is of fewer than two surveys."""
        if np.isnan(self.replicates).all():
            return float("nan"), float("nan")
        low, high = np.nanquantile(self.replicates, _TAILS)
        return float(low), float(high)


class Resampling:
    """Surveys drawn with replacement within their group, the same draws for all that is estimated.

    `surveys`: the group of each survey, by its name.
    """

    def __init__(self, surveys: pd.Series, rng: np.random.Generator) -> None:
        self.surveys = surveys
        self.counts = np.zeros((RESAMPLES, len(surveys)))
        for group in surveys.unique():
            members = np.flatnonzero((surveys == group).to_numpy())
            even = np.full(len(members), 1 / len(members))
            self.counts[:, members] = rng.multinomial(len(members), even, size=RESAMPLES)

    def mean(self, values: pd.Series) -> Estimate:
        """Mean of `values`, a number per question with `survey` in its index: a ratio of sums."""
        sums = values.groupby(level="survey").sum().reindex(self.surveys.index, fill_value=0.0)
        sizes = values.groupby(level="survey").size().reindex(self.surveys.index, fill_value=0)
        totals, answers = sums.to_numpy(np.float64), sizes.to_numpy(np.float64)
        with np.errstate(invalid="ignore"):
            replicates = (self.counts @ totals) / (self.counts @ answers)
            value = totals.sum() / answers.sum()
        surveys = int((answers > 0).sum())
        if surveys < _FEWEST:
            replicates = np.full_like(replicates, np.nan)
        return Estimate(float(value), replicates, surveys, int(answers.sum()))


def average(estimates: list[Estimate], surveys: int) -> Estimate:
    """The unweighted mean, as the papers average groups and categories; of so many surveys."""
    return Estimate(
        float(np.mean([e.value for e in estimates])),
        np.mean([e.replicates for e in estimates], axis=0),
        surveys,
        sum(e.answers for e in estimates),
    )
