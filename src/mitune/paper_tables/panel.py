"""One metric of one published table on one scale: methods by categories, ours last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

FACTORS = {"%": 100.0, "x100": 100.0}
"""What a score on its own scale (0 to 1, or a cosine) is multiplied by."""

_EDITED = (
    "T2I-CompBench replaced 5 of the 300 test prompts of color in September 2025; published "
    "figures are of those before."
)


@dataclass(frozen=True)
class Cell:
    """A number as shown. `status`: see the package; of ours it is the interval."""

    text: str
    status: str = ""


@dataclass(frozen=True)
class Row:
    """A method, or one of our models."""

    name: str
    ours: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Panel:
    """One metric of one table on one scale: methods by categories, ours last."""

    table: str
    source: str
    metric: str
    unit: str
    categories: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def panel_of(published: pd.DataFrame, metric: str, ours: tuple[Row, ...]) -> Panel:
    """`published` rows of one table, metric and unit, and `ours` below them."""
    categories = tuple(dict.fromkeys(published["category"]))
    rows = []
    for method, part in published.groupby("method", sort=False):
        by_category = part.drop_duplicates("category").set_index("category")
        cells = []
        for category in categories:
            reported = category in by_category.index
            value, status = by_category.loc[category, ["value", "status"]] if reported else ("", "")
            cells.append(Cell(value or "–", "" if status == "read" else status))
        rows.append(Row(str(method), False, tuple(cells)))
    first = published.iloc[0]
    notes = tuple(dict.fromkeys(note for note in published["note"] if note))
    if ours and "color" in categories:
        notes += (_EDITED,)
    source = f"{first['source']}, table {first['table']}"
    return Panel(first["file"], source, metric, first["unit"], categories, (*rows, *ours), notes)


def our_rows(
    published: pd.DataFrame, ours: pd.DataFrame, labels: Mapping[str, str]
) -> tuple[Row, ...]:
    """A row per model of `ours`, in the unit of the `published` rows."""
    factor = FACTORS[published["unit"].iloc[0]]
    categories = tuple(dict.fromkeys(published["category"]))
    rows: list[Row] = []
    for model in dict.fromkeys(ours["model"]):
        by_category = ours[ours["model"] == model].set_index("category")
        cells = []
        for category in categories:
            mean, low, high = (
                factor * float(value)
                for value in by_category.loc[category, ["mean", "low", "high"]]
            )
            cells.append(Cell(f"{mean:.2f}", f"{low:.1f} to {high:.1f}"))
        first = by_category.loc[categories[0]]
        sample_size = f"{first['images']} images of {first['prompts']} prompts"
        rows.append(Row(f"{labels.get(model, model)}, {sample_size}", True, tuple(cells)))
    return tuple(rows)
