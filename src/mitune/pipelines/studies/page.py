"""The studies' page: every table of the paper beside ours, in one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mitune.comparison import ALL
from mitune.metrics.units import Units
from mitune.paper_tables import Comparison, Panel, for_table
from mitune.pipelines.shared.pages import embedded, pages_of
from mitune.pipelines.studies.elsewhere import ELSEWHERE
from mitune.pipelines.studies.parameters import Studies, Study

_NOTHING = Comparison((), ())


@dataclass(frozen=True)
class Bench:
    """Studies on one set of candidates, as they came out.

    `categories`: of their prompts. `figures`: PNG by study.
    """

    name: str
    studies: Studies
    categories: Sequence[str]
    results: pd.DataFrame
    claims: pd.DataFrame
    sets: pd.DataFrame
    figures: Mapping[str, bytes]


def render_page(
    benches: Sequence[Bench],
    units: Mapping[str, Units],
    laboratory: bool,
    rank_figure: bytes,
    replays: pd.DataFrame,
    timings: Mapping[str, float],
) -> str:
    """HTML; the first of `units` is the headline. `replays`: its agreement with scores."""
    template = pages_of("mitune.pipelines.studies").get_template("studies.html")
    sections = [
        _section(bench, name, study)
        for bench in benches
        for name, study in bench.studies.shown.items()
    ]
    treated = {panel.table for section in sections for panel in section["published"]}
    return template.render(
        sections=sections,
        claims=[claim for bench in benches for claim in _claims(bench)],
        repeats=max(bench.studies.repeats for bench in benches),
        units=units,
        metric=next(iter(units)),
        laboratory=laboratory,
        total=ALL,
        elsewhere=[
            {"panel": panel, "note": note}
            for table, note in ELSEWHERE.items()
            for panel in for_table(table, _NOTHING)
            if panel.table not in treated
        ],
        rank_figure=embedded(rank_figure),
        replays=replays.sort_values("tau", ascending=False).to_dict("records"),
        timings={
            node: spent
            for node, spent in timings.items()
            if node.partition(".")[0] in {bench.name for bench in benches}
        },
    )


def _section(bench: Bench, name: str, study: Study) -> dict[str, Any]:
    """What the page shows of one study."""
    results = bench.results[bench.results["study"] == name]
    categories = list(bench.categories)
    return {
        "name": name,
        "study": study,
        "labels": _labels(bench),
        "cells": {
            (row.model, row.category, row.metric): row for row in results.itertuples(index=False)
        },
        "sets": bench.sets.set_index("arm").to_dict("index"),
        "categories": [ALL, *categories] if len(categories) > 1 else [],
        "published": _published(study),
        "counterparts": _counterparts(study),
        "figure": embedded(bench.figures[name]),
    }


def _claims(bench: Bench) -> list[dict[str, Any]]:
    labels = _labels(bench)
    rows = bench.claims.astype(object).where(bench.claims.notna(), None)
    return [
        {**dict(row), "first": labels[row["higher"]], "second": labels[row["lower"]]}
        for _, row in rows.iterrows()
    ]


def _labels(bench: Bench) -> dict[str, str]:
    return {name: arm.label for name, arm in bench.studies.every.items()}


def _published(study: Study) -> tuple[Panel, ...]:
    return tuple(panel for table in study.published for panel in for_table(table, _NOTHING))


def _counterparts(study: Study) -> dict[str, str]:
    """What the paper's row of an arm has, in the first panel that has it."""
    found = {}
    panels = _published(study)
    for arm, method in study.beside.items():
        for panel in panels:
            for row in panel.rows:
                if row.name == method and arm not in found:
                    pairs = zip(panel.categories, row.cells, strict=True)
                    said = ", ".join(f"{name} {cell.text}" for name, cell in pairs)
                    found[arm] = f"{method}: {said} ({panel.metric}, {panel.unit})"
    return found
