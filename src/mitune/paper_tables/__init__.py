"""Published tables as data, and our rows beside those that are the same metric on the same scale.

One CSV per table: source, table, method, category, metric, value, unit, status, note. `status` is
`read` for what stands in the paper, `derived` for what follows from it, `from_table_1` for what it
repeats, `missing` and `not_available_in_paper` for what has no value. `mitune_table01` calls its
first metric `blip_vqa_or_unidet`: BLIP-VQA everywhere but in `spatial_2d`, which is UniDet's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas as pd

from mitune.errors import UserError

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

_FACTORS = {"%": 100.0, "x100": 100.0}
"""What a score on its own scale (0 to 1, or a cosine) is multiplied by."""

_UNSTATED = {"hps_v2.0": "hps", "hps_v2.1": "hps"}
"""Published under this name without saying in which version: placed beside neither."""

_MIXED = "blip_vqa_or_unidet"
_CATEGORIES = {"2d_spatial": "spatial_2d", "spatial": "spatial_2d", "3d_spatial": "spatial_3d"}
_EDITED = (
    "T2I-CompBench replaced 5 of the 300 test prompts of color in September 2025; published "
    "figures are of those before."
)


class PaperTableError(UserError):
    """There is no such table."""


@dataclass(frozen=True)
class Cell:
    """A number as shown. `status`: see the module; of ours it is the interval."""

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


@dataclass(frozen=True)
class Comparison:
    """What may stand beside a published figure, and a sentence for every metric that may not."""

    panels: tuple[Panel, ...]
    apart: tuple[str, ...]


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
    published = tuple(_panel(group, str(metric), ()) for (_, metric, _), group in groups)
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
            category=[_CATEGORIES.get(c, c) for c in summary_of_metric["category"]]
        )
        published = scores[
            (scores["measure"] == (name or "")) & scores["category"].isin(set(ours["category"]))
        ]
        for _, group in published.groupby(["file", "unit"], sort=False):
            kept = ours[ours["category"].isin(set(group["category"]))]
            panels.append(_panel(group, str(name), _our_rows(group, kept, labels)))
        if published.empty:
            apart.append(f"{metric}: {_reason(name, benchmark, rows)}")
    return Comparison(tuple(panels), tuple(apart))


def _measure(metric: str, category: str) -> str:
    if metric != _MIXED or category == "avg":
        return metric
    return "unidet" if category == "spatial_2d" else "blip_vqa"


def _are_scores(rows: pd.DataFrame) -> pd.Series:
    gains = rows["method"].map(lambda method: any(sign in method for sign in _DIFFERENCES))
    return rows["unit"].isin(set(_FACTORS)) & ~gains & (rows["value"] != "")


def _reason(name: str | None, benchmark: str | None, rows: pd.DataFrame) -> str:
    if name is None or name not in set(rows["measure"]):
        return "no published table has this metric in this version"
    if benchmark and name in _UNSTATED:
        return f"the published {_UNSTATED[name]} of these categories does not state its version"
    where = "on other test prompts than these" if benchmark is None else "not for these categories"
    return f"published as {name}, but {where}"


def _our_rows(
    published: pd.DataFrame, ours: pd.DataFrame, labels: Mapping[str, str]
) -> tuple[Row, ...]:
    factor = _FACTORS[published["unit"].iloc[0]]
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


def _panel(published: pd.DataFrame, metric: str, ours: tuple[Row, ...]) -> Panel:
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
