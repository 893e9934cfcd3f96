"""The surveys' results in short: what a report shows of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mitune.paper_tables import PUBLISHED_NAMES
from mitune.survey.published import published
from mitune.survey.row import KINDS, Kind
from mitune.survey.shares import AVERAGE, NOTHING, overall

TITLES: Mapping[Kind, str] = {
    "metrics": "Which pictures that metrics choose do people find aligned?",
    "methods": "Which models’ pictures do people find aligned?",
}
TABLES: Mapping[Kind, str] = {"metrics": "6", "methods": "7"}
"""Of MI-TUNE."""


def summarise(
    share: pd.DataFrame, difference: pd.DataFrame, strength: pd.DataFrame
) -> dict[str, dict[str, Any]]:
    """By study, as JSON: `title`, `surveys`, `answers`, `options`, and what was `published`.

    The tables are those of `shares` and `strengths`, with `study`. An option has its name, its
    share of answers as the paper averages it (`shares.overall`), the difference to the first on
    the same questions and its strength, each with `low` and `high`; None is what is not known.
    `published` has the number of the `table`, its `parts`, and `shares` in these by option.
    """
    return {
        kind: _summary(kind, *(t[t["study"] == kind] for t in (share, difference, strength)))
        for kind in KINDS
        if (share["study"] == kind).any()
    }


def _summary(
    kind: Kind, share: pd.DataFrame, difference: pd.DataFrame, strength: pd.DataFrame
) -> dict[str, Any]:
    averages = overall(share)
    options = strength[["option"]]
    for name, table in (("share", averages), ("difference", difference), ("strength", strength)):
        ends = {"low": f"{name}_low", "high": f"{name}_high"}
        options = options.merge(
            table.rename(columns=ends)[["option", name, *ends.values()]], on="option", how="left"
        )
    known = options.astype(object).where(options.notna(), None)
    categories = set(share.loc[share["by"] == "category", "part"]) - {AVERAGE}
    return {
        "title": TITLES[kind],
        "surveys": int(averages["surveys"].max()),
        "answers": int(averages["answers"].max()),
        "options": known.to_dict("records"),
        "published": {"table": TABLES[kind], **_published(kind, categories)},
    }


def _published(kind: Kind, categories: set[str]) -> dict[str, Any]:
    """Of the same categories, if there are any; else, as of `metrics`, all parts."""
    table = published(kind)
    table = table[~table["option"].str.startswith("only ") & (table["option"] != NOTHING)]
    same = table["part"].isin({PUBLISHED_NAMES.get(name, name) for name in categories})
    wide = table[same] if same.any() else table
    wide = wide.pivot(index="option", columns="part", values="share")
    wide = wide.reindex(table["option"].unique())[[p for p in table["part"].unique() if p in wide]]
    shares = zip(wide.index, wide.to_numpy().tolist(), strict=True)
    return {"parts": list(wide), "shares": dict(shares)}
