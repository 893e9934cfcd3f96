"""What the report shows of one arm, in one piece: its pictures, and how it ranked and trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pandas as pd
from kedro.pipeline import Node, Pipeline

Shown: TypeAlias = dict[str, Callable[[], pd.DataFrame]]
"""Tables by name, each read when it is asked for: `samples`, and if the arm ranks candidates of its
own `agreement`; `figures` (name, png) if it is trained."""

_SHOWN = (
    "samples", "agreement", "agreement_figure", "rank_figure", "training_figure", "contact_sheet"
)  # fmt: skip


def show_stage(made: set[str]) -> Pipeline:
    """What there is to show among the datasets that the other stages of an arm have `made`."""
    inputs = {name: name for name in _SHOWN if name in made}
    return Pipeline([Node(show, inputs, "shown", name="show", tags="report")])


def show(
    samples: pd.DataFrame,
    agreement: pd.DataFrame | None = None,
    agreement_figure: bytes | None = None,
    rank_figure: bytes | None = None,
    training_figure: bytes | None = None,
    contact_sheet: bytes | None = None,
) -> dict[str, pd.DataFrame]:
    """The tables of `Shown`."""
    figures = {
        "agreement": agreement_figure,
        "by_rank": rank_figure,
        "training": training_figure,
        "candidates": contact_sheet,
    }
    drawn = [(name, png) for name, png in figures.items() if png is not None]
    tables = {
        "samples": samples,
        "agreement": agreement,
        "figures": pd.DataFrame(drawn, columns=["name", "png"]) if drawn else None,
    }
    return {name: table for name, table in tables.items() if table is not None}
