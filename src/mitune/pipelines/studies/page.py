"""The studies' page: every table of the paper beside ours, in one self-contained HTML file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from importlib.resources import files

import pandas as pd
from jinja2 import Environment, StrictUndefined

from mitune.comparison import ALL
from mitune.metrics.units import Units
from mitune.paper_tables import Comparison, Panel, for_table
from mitune.pipelines.studies.elsewhere import ELSEWHERE
from mitune.pipelines.studies.parameters import Studies, Study

_NOTHING = Comparison((), ())


def render_page(
    studies: Studies,
    units: Mapping[str, Units],
    laboratory: bool,
    categories: Sequence[str],
    results: pd.DataFrame,
    claims: pd.DataFrame,
    sets: pd.DataFrame,
    figures: Mapping[str, bytes],
    rank_figure: bytes,
    timings: Mapping[str, float],
) -> str:
    """HTML; the first of `units` is the headline."""
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        files("mitune.pipelines.studies").joinpath("templates/studies.html").read_text()
    )
    rows = {
        (row.study, row.model, row.category, row.metric): row
        for row in results.itertuples(index=False)
    }
    shown = studies.shown
    published = {name: _published(study) for name, study in shown.items()}
    treated = {panel.table for panels in published.values() for panel in panels}
    return template.render(
        studies=shown,
        arms=studies.every,
        repeats=studies.repeats,
        units=units,
        metric=next(iter(units)),
        laboratory=laboratory,
        categories=[*categories] if len(categories) == 1 else [ALL, *categories],
        total=ALL,
        rows=rows,
        claims=claims.to_dict("records"),
        sets=sets.set_index("arm").to_dict("index"),
        published=published,
        counterparts={name: _counterparts(study) for name, study in shown.items()},
        elsewhere={
            panel: note
            for table, note in ELSEWHERE.items()
            for panel in for_table(table, _NOTHING)
            if panel.table not in treated
        },
        figures={name: base64.b64encode(png).decode() for name, png in figures.items()},
        rank_figure=base64.b64encode(rank_figure).decode(),
        timings={name: spent for name, spent in timings.items() if _is_ours(name)},
    )


def _published(study: Study) -> tuple[Panel, ...]:
    return tuple(panel for table in study.published for panel in for_table(table, _NOTHING))


def _counterparts(study: Study) -> dict[str, str]:
    """What the paper's row of an arm has, in its first panel: `58.12 color, 47.48 shape (%)`."""
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


def _is_ours(node: str) -> bool:
    return node.startswith(("studies.", "categories."))
