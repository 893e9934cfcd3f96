"""The page of the surveys: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from mitune.pipelines.shared.pages import embedded, pages_of
from mitune.survey.published import OFFICIAL_NAMES, published
from mitune.survey.row import KINDS, Kind
from mitune.survey.shares import AVERAGE
from mitune.survey.summary import TABLES, TITLES


def render(
    share: pd.DataFrame,
    difference: pd.DataFrame,
    strength: pd.DataFrame,
    agreement: pd.DataFrame,
    figure: bytes,
    names: Mapping[str, str],
) -> str:
    """HTML; `names` are the models' for readers."""
    pages = pages_of("mitune.pipelines.survey_analysis")
    pages.filters |= {"percent": _percent, "missing": pd.isna}
    template = pages.get_template("survey.html")
    studies = [
        {
            "title": TITLES[kind],
            "table": TABLES[kind],
            "names": {**OFFICIAL_NAMES[kind], **names},
            "surveys": int(_of(share, kind).query("part == @AVERAGE")["surveys"].max()),
            "panels": list(_panels(_of(share, kind))),
            "published": list(_panels(published(kind))),
            "differences": _of(difference, kind).to_dict("records"),
            "strengths": _of(strength, kind).to_dict("records"),
            "agreement": _of(agreement, kind).to_dict("records"),
        }
        for kind in KINDS
        if len(_of(share, kind))
    ]
    return template.render(studies=studies, figure=embedded(figure))


def _panels(share: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """By group and by category: options by parts. Of one part alone there is no average."""
    for by, rows in share.groupby("by", sort=False):
        parts = list(dict.fromkeys(rows["part"]))
        if len(parts) == 2:
            parts.remove(AVERAGE)
        cells = {(row["option"], row["part"]): row for row in rows.to_dict("records")}
        yield {
            "by": by,
            "parts": parts,
            "options": list(dict.fromkeys(rows["option"])),
            "cells": cells,
        }


def _of(table: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    return table[table["study"] == kind].drop(columns="study")


def _percent(value: float) -> str:
    return "–" if pd.isna(value) else f"{100 * value:.1f}"
