"""How often one model's image scores higher than another's, on the same prompts and seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from mitune.metrics.base import MetricError
from mitune.statistics import wilson

_IDENTITY = ["prompt_id", "image_index"]


@dataclass(frozen=True)
class WinRate:
    """`rate` = (wins + ties / 2) / n, with its 95 % Wilson interval."""

    rate: float
    low: float
    high: float
    n: int
    wins: int
    ties: int
    losses: int


def win_rate(
    model: pd.DataFrame,
    other: pd.DataFrame,
    metric: str,
    unit: Literal["prompt", "image"] = "prompt",
) -> WinRate:
    """Rate at which `model` beats `other` on `metric`, a tie counting one half.

    Both tables have prompt_id, image_index, `metric` and, if images have one, seed. By `prompt`
    the means over a prompt's images are compared, by `image` the images of the same seed: those
    of one prompt are not independent, so that interval is too narrow.

    Wilson's interval knows only wins and losses: where half of an odd number of ties is left over,
    its lower end is that of the count rounded down and its upper end of the count rounded up. A
    tie varies less than a win or a loss, so with many ties the interval is too wide, never too
    narrow. Papers (DSPO, Diffusion-DPO) do not say what they do with ties.

    Raises
    ------
    MetricError
        If the tables are not of the same prompts and seeds, or a score is missing.
    """
    pairs = _paired(model, other, metric)
    if unit == "prompt":
        pairs = pairs.groupby("prompt_id", sort=False)[["model", "other"]].mean()
    n = len(pairs)
    wins, ties = (
        int((pairs["model"] > pairs["other"]).sum()),
        int((pairs["model"] == pairs["other"]).sum()),
    )
    count = wins + ties / 2
    low, high = (wilson(k, n) for k in (math.floor(count), math.ceil(count)))
    return WinRate(count / n, low[0], high[1], n, wins, ties, n - wins - ties)


def _paired(model: pd.DataFrame, other: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Rows of both by prompt and image, scores in columns `model` and `other`."""
    tables = {"model": model, "other": other}
    for name, table in tables.items():
        _check(name, table, metric)
    first, second = (table.set_index(_IDENTITY).sort_index() for table in tables.values())
    if not first.index.equals(second.index):
        prompt, image = first.index.symmetric_difference(second.index)[0]
        raise MetricError(
            f"win rate: only one of the two has image {image} of prompt {prompt!r}; evaluate both "
            "on the same prompts with the same images_per_prompt"
        )
    if "seed" in first and "seed" in second and (first["seed"] != second["seed"]).any():
        prompt, image = first.index[(first["seed"] != second["seed"]).to_numpy()][0]
        raise MetricError(
            f"win rate: image {image} of prompt {prompt!r} has two seeds; evaluate both with the "
            "same evaluate.seed"
        )
    return pd.DataFrame({"model": first[metric], "other": second[metric]})


def _check(name: str, table: pd.DataFrame, metric: str) -> None:
    absent = [column for column in (*_IDENTITY, metric) if column not in table]
    if absent:
        raise MetricError(f"win rate: column {absent[0]!r} is missing in the {name}'s table")
    if table.empty:
        raise MetricError(f"win rate: the {name}'s table has no rows")
    if table.duplicated(_IDENTITY).any():
        prompt = table.loc[table.duplicated(_IDENTITY), "prompt_id"].iloc[0]
        raise MetricError(f"win rate: the {name}'s table has an image of {prompt!r} twice")
    if table[metric].isna().any():
        prompt = table.loc[table[metric].isna(), "prompt_id"].iloc[0]
        raise MetricError(f"win rate: {metric!r} of the {name} is NaN, first for {prompt!r}")
