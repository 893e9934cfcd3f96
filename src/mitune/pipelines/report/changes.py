"""Which prompts the page shows before and after: those that changed most, both ways."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, zip_longest

import pandas as pd


@dataclass(frozen=True)
class Changes:
    """Prompts to show, of all the change of each, and how many changed which way."""

    prompts: tuple[str, ...]
    difference: dict[str, float]
    gained: int
    lost: int
    same: int


def largest_changes(
    before: pd.DataFrame, after: pd.DataFrame, metric: str, count: int = 12
) -> Changes:
    """The largest gain of a prompt, the largest loss, the next gain, and so on.

    A prompt's change is that of its mean over all its images. Once one way has no more, the other
    goes on alone; of equal changes the first prompt comes first; what did not change comes last.
    """
    means = [
        table.groupby("prompt_id", sort=False)[metric].mean().astype(float)
        for table in (before, after)
    ]
    change = means[1].reindex(means[0].index) - means[0]
    gains = change[change > 0].sort_values(ascending=False, kind="stable").index
    losses = change[change < 0].sort_values(kind="stable").index
    same = change[change == 0].index
    in_turn = [name for name in chain(*zip_longest(gains, losses)) if name is not None]
    return Changes(
        tuple([*in_turn, *same][:count]),
        {str(name): float(value) for name, value in change.items()},
        len(gains),
        len(losses),
        len(same),
    )
