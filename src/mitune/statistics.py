"""Intervals: how far a mean over prompts, or a share of them, can be trusted."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import scipy
from numpy.typing import NDArray

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
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = 10_000,
) -> Interval:
    """The mean over prompts with a percentile bootstrap interval, prompts being resampled.

    Equal numbers of prompts are resampled alike under one `seed`.

    Raises ValueError for missing values (decide first: fillna(0) or dropna()) or no prompt.
    """
    values = per_prompt.to_numpy(dtype=np.float64)
    if not len(values) or np.isnan(values).any():
        raise UserError("per_prompt: needs one number for every prompt; use fillna or dropna")
    means = _counts(len(values), resamples, seed) @ values / len(values)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(
        mean=float(values.mean()),
        low=float(low),
        high=float(high),
        standard_error=float(means.std(ddof=1)),
        prompts=len(values),
    )


@lru_cache(maxsize=4)  # drawing them costs a hundred times what they are used for
def _counts(prompts: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each prompt is in each resampling, (resamples, prompts)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(prompts, np.full(prompts, 1 / prompts), size=resamples).astype(float)


def wilson(wins: int, n: int) -> tuple[float, float]:
    """95 % interval of a share, wins / n (Wilson, 1927)."""
    interval = scipy.stats.binomtest(wins, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)
