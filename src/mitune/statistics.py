"""Intervals: how far a mean over prompts, or a share of them, can be trusted."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from mitune.errors import UserError


@dataclass(frozen=True)
class Interval:
    """A mean over prompts with its percentile bootstrap interval and standard error."""

    mean: float
    low: float
    high: float
    standard_error: float
    prompts: int


def prompt_bootstrap(
    per_prompt: pd.Series,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 10_000,
) -> Interval:
    """The mean over prompts with a percentile bootstrap interval, prompts being resampled.

    Raises ValueError for missing values (decide first: fillna(0) or dropna()) or no prompt.
    """
    values = per_prompt.to_numpy(dtype=np.float64)
    if not len(values) or np.isnan(values).any():
        raise UserError("per_prompt: needs one number for every prompt; use fillna or dropna")
    # Multinomial counts are resampling with replacement, without n x resamples indices.
    counts = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), size=resamples)
    means = counts @ values / len(values)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(
        mean=float(values.mean()),
        low=float(low),
        high=float(high),
        standard_error=float(means.std(ddof=1)),
        prompts=len(values),
    )


def wilson(wins: int, n: int) -> tuple[float, float]:
    """95 % interval of a share, wins / n (Wilson, 1927)."""
    interval = scipy.stats.binomtest(wins, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)
