"""What candidates are ordered by: one score, or several by the ranks they give."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import pandas as pd
from pydantic import Field, PositiveFloat

from mitune.ranking import check_scores

Score: TypeAlias = str | Annotated[dict[str, PositiveFloat], Field(min_length=1)]
"""A column, or columns with weights: then the weighted mean of their places within a prompt."""


def names_in(score: Score) -> tuple[str, ...]:
    """The columns."""
    return (score,) if isinstance(score, str) else tuple(score)


def values(candidates: pd.DataFrame, score: Score) -> pd.Series:
    """(N,) higher is better. Of several scores: places from 1, the worst, to M; ties share theirs.

    Places and not numbers, since scores have no scale in common. Raises UserError for an unknown
    column or a missing score, naming it.
    """
    for name in names_in(score):
        check_scores(candidates, name)
    if isinstance(score, str):
        return candidates[score]
    prompts = candidates["prompt_id"]
    weighted = [weight * candidates[name].groupby(prompts).rank() for name, weight in score.items()]
    total: pd.Series = sum(weighted[1:], weighted[0]) / sum(score.values())
    return total
