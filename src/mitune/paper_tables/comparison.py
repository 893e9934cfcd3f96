"""Our rows beside those that are the same metric on the same scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from mitune.paper_tables.panel import FACTORS, Panel, our_rows, panel_of
from mitune.paper_tables.published import named, published_tables

T2I_COMPBENCH = "t2i_compbench"
_TABLES_ON = {
    T2I_COMPBENCH: (
        "mitune_table01_alignment_sd21",
        "mitune_table03_10_ft_set_selection",
        "mitune_table04_sdxl",
        "mitune_table11_set_size",
        "mitune_table12_adapters",
        "mitune_table13_combining",
        "mitune_text_values",
        "rfmi_table1",
    )
}
"""Which tables are of which test prompts, of those that can be held still."""

_DIFFERENCES = (" minus ", "_minus_", "_rel_", "% ref", "abs. difference", "relative gain")
"""Rows of these methods are gains, though their metric and unit read as a score's."""

_UNSTATED = {"hps_v2.0": "hps", "hps_v2.1": "hps"}
"""Published under this name without saying in which version: placed beside neither."""

PUBLISHED_NAMES = {"2d_spatial": "spatial_2d", "spatial": "spatial_2d", "3d_spatial": "spatial_3d"}
"""What the tables call a category that prompt files call otherwise."""


@dataclass(frozen=True)
class Comparison:
    """What may stand beside a published figure, and a sentence for every metric that may not."""

    panels: tuple[Panel, ...]
    apart: tuple[str, ...]


def for_table(table: str, comparison: Comparison) -> tuple[Panel, ...]:
    """A published table whole, one panel per metric and unit, then what of ours is beside it.

    Raises
    ------
    PaperTableError
        If there is no such table.
    """
    rows = published_tables()
    names = named(table)
    groups = rows[rows["file"].isin(names)].groupby(["file", "metric", "unit"], sort=False)
    published = tuple(panel_of(group, str(metric), ()) for (_, metric, _), group in groups)
    return (*published, *(panel for panel in comparison.panels if panel.table in names))


def beside(
    summary: pd.DataFrame,
    metrics: Mapping[str, str | None],
    benchmark: str | None,
    labels: Mapping[str, str],
) -> Comparison:
    """Our `summary` (model, category, metric, mean, low, high) beside published scores.

    `metrics`: what each metric of ours is called in the tables, None for what is in none
    (`Weights.published`). `benchmark`: whose test prompts ours are, None for none of theirs.
    Placed side by side are the same metric, category and test prompts, ours brought to the
    published unit. Means over categories are not: papers average metrics that are not the same.
    """
    rows = published_tables()
    scores = rows[rows["file"].isin(_TABLES_ON.get(benchmark or "", ())) & _are_scores(rows)]
    panels: list[Panel] = []
    apart: list[str] = []
    for metric, name in metrics.items():
        summary_of_metric = summary[summary["metric"] == metric]
        ours = summary_of_metric.assign(
            category=[PUBLISHED_NAMES.get(c, c) for c in summary_of_metric["category"]]
        )
        published = scores[
            (scores["measure"] == (name or "")) & scores["category"].isin(set(ours["category"]))
        ]
        for _, group in published.groupby(["file", "unit"], sort=False):
            kept = ours[ours["category"].isin(set(group["category"]))]
            panels.append(panel_of(group, str(name), our_rows(group, kept, labels)))
        if published.empty:
            apart.append(f"{metric}: {_reason(name, benchmark, rows)}")
    return Comparison(tuple(panels), tuple(apart))


def _are_scores(rows: pd.DataFrame) -> pd.Series:
    gains = rows["method"].map(lambda method: any(sign in method for sign in _DIFFERENCES))
    return rows["unit"].isin(set(FACTORS)) & ~gains & (rows["value"] != "")


def _reason(name: str | None, benchmark: str | None, rows: pd.DataFrame) -> str:
    if name is None or name not in set(rows["measure"]):
        return "no published table has this metric in this version"
    if benchmark and name in _UNSTATED:
        return f"the published {_UNSTATED[name]} of these categories does not state its version"
    where = "on other test prompts than these" if benchmark is None else "not for these categories"
    return f"published as {name}, but {where}"
