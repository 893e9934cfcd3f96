"""A score that pictures have to pass: one for all, or by category or prompt."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pandas as pd

from mitune.composition.base import VALUE, ranked
from mitune.composition.score import Score
from mitune.errors import UserError

Threshold: TypeAlias = float | dict[str, float]
"""One number, or numbers by `category` or `prompt_id`; that of the prompt goes before."""


def passing(ordered: pd.DataFrame, threshold: Threshold) -> pd.Series:
    """(N,) whether `VALUE` is above the threshold, strictly.

    Raises
    ------
    UserError
        For a category without a threshold, naming it.
    """
    if not isinstance(threshold, dict):
        return ordered[VALUE] > threshold
    limits = ordered["prompt_id"].map(threshold).fillna(ordered["category"].map(threshold))
    without = ordered.loc[limits.isna(), "category"]
    if len(without):
        raise UserError(
            f"threshold: none for category {without.iloc[0]!r}, only for "
            f"{', '.join(map(str, threshold))}; add it"
        )
    return ordered[VALUE] > limits


def above(
    candidates: pd.DataFrame, score: Score, threshold: Threshold, k: int | None
) -> pd.DataFrame:
    """Those above, at most the k best of a prompt, with `rank` and `VALUE`.

    Raises
    ------
    UserError
        If there is none, naming the highest there is; if a score is not finite.
    """
    ordered = ranked(candidates, score)
    if not np.isfinite(ordered[VALUE]).all():
        worst = ordered.loc[~np.isfinite(ordered[VALUE]), "prompt_id"].iloc[0]
        raise UserError(f"score: {score!r} is infinite for a candidate of {worst!r}; measure again")
    chosen = ordered[passing(ordered, threshold)]
    if chosen.empty:
        raise UserError(
            f"threshold: no candidate is above it ({score} reaches {ordered[VALUE].max():.4g}); "
            "lower threshold"
        )
    if k is not None:
        chosen = chosen[chosen["rank"] <= k]
    return chosen.reset_index(drop=True)
