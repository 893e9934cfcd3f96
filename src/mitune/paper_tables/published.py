"""What the papers print, as one table."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import pandas as pd

from mitune.errors import UserError

_MIXED = "blip_vqa_or_unidet"


class PaperTableError(UserError):
    """There is no such table."""


@cache
def published_tables() -> pd.DataFrame:
    """All rows of all tables, with `file`, and `measure`: the metric, told apart by category."""
    folder = files("mitune.paper_tables")
    tables = []
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".csv"):
            with file.open() as stream:
                table = pd.read_csv(stream, dtype=str, keep_default_na=False)
            tables.append(table.assign(file=file.name.removesuffix(".csv")))
    rows = pd.concat(tables, ignore_index=True)
    pairs = zip(rows["metric"], rows["category"], strict=True)
    return rows.assign(measure=[_measure(metric, category) for metric, category in pairs])


def named(table: str) -> tuple[str, ...]:
    """Tables whose name begins so.

    Raises
    ------
    PaperTableError
        If there is none.
    """
    names = tuple(dict.fromkeys(published_tables()["file"]))
    matching = tuple(name for name in names if name.startswith(table))
    if not matching:
        raise PaperTableError(f"no published table {table!r}; choose of {', '.join(names)}")
    return matching


def _measure(metric: str, category: str) -> str:
    if metric != _MIXED or category == "avg":
        return metric
    return "unidet" if category == "spatial_2d" else "blip_vqa"
