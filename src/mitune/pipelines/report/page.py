"""The report: one self-contained HTML file."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined

from mitune.comparison import ALL
from mitune.pipelines.report.dependence import dependence_rows
from mitune.pipelines.shared.label import label

_PROMPTS_SHOWN_PER_CATEGORY = 2


def render_page(
    names: Mapping[str, str],
    facts: Mapping[str, Any],
    summary: pd.DataFrame,
    headline: Mapping[str, Any],
    timings: Mapping[str, float],
    provenance: Mapping[str, Any],
    published: Mapping[str, Any],
    metric_provenance: Mapping[str, Mapping[str, Any]],
    agreement: pd.DataFrame,
    pictures: Mapping[str, bytes],
    samples: Mapping[str, pd.DataFrame],
) -> str:
    """HTML with every picture inside it."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"percent": _percent, "signed": _signed}
    template = environment.from_string(
        files("mitune.pipelines.report").joinpath("templates/report.html").read_text()
    )
    metrics = list(dict.fromkeys(summary["metric"]))
    last = list(names)[-1]
    return template.render(
        names=names,
        facts=facts,
        metrics=metrics,
        categories=[c for c in dict.fromkeys(summary["category"]) if c != ALL],
        cells={(r.model, r.category, r.metric): r for r in summary.itertuples(index=False)},
        headline=headline,
        verdict=verdict(names[last], summary[summary["model"] == last], metrics[0]),
        contrasts={_contrast(k): v for k, v in headline.items() if " - " in k},
        timings=timings,
        provenance=provenance,
        published=published,
        dependence=dependence_rows(metric_provenance),
        total=sum(timings.values()),
        agreement=agreement.to_dict("records"),
        figures={title: base64.b64encode(png).decode() for title, png in pictures.items()},
        grid=_grid(samples),
    )


def verdict(name: str, rows: pd.DataFrame, metric: str) -> str:
    """What the intervals of a model's differences to the base allow to be said, in words."""
    rows = rows[rows["metric"] == metric].set_index("category")
    names = ["difference", "difference_low", "difference_high"]
    difference, low, high = map(float, rows.loc[ALL, names].to_numpy())
    interval = f"{_signed(low)} to {_signed(high)}"
    if low > 0 or high < 0:
        where = "above" if low > 0 else "below"
        points = abs(100 * difference)
        said = f"{name} is {points:.1f} points of {metric} {where} the base ({interval})."
    else:
        said = f"On {metric}, {name} cannot be told from the base ({interval} points)."
    parts = rows.drop(index=ALL)
    parts = parts[parts["prompts"] > 1]  # one prompt has no interval over prompts
    for verb, chosen in (
        ("rises", parts[parts["difference_low"] > 0]),
        ("falls", parts[parts["difference_high"] < 0]),
    ):
        if len(chosen):
            pairs = zip(chosen.index, chosen["difference"], strict=True)
            named = ", ".join(f"{category} ({_signed(float(d))})" for category, d in pairs)
            said += f" It {verb} in {named}."
    return said


def _contrast(key: str) -> str:
    """`round_1 - random_k.judge` for readers."""
    models, metric = key.rsplit(".", 1)
    first, second = models.split(" - ")
    return f"{label(first)} − {label(second)}, {metric}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}"


def _grid(samples: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Rows of the before/after grid: the same prompt and seeds under every model."""
    first = next(iter(samples.values()))
    prompts = first.drop_duplicates("prompt_id").groupby("category", sort=False)
    metric = next(c for c in first if c not in _IDENTITY)
    rows = []
    for row in prompts.head(_PROMPTS_SHOWN_PER_CATEGORY).itertuples():
        cells = {}
        for model, table in samples.items():
            part = table[table["prompt_id"] == row.prompt_id]
            cells[model] = [
                {"png": base64.b64encode(png).decode(), "right": score > 0.5, "score": score}
                for png, score in zip(part["png"], part[metric], strict=True)
            ]
        rows.append({"prompt": row.prompt, "category": row.category, "cells": cells})
    return rows


_IDENTITY = ("prompt_id", "category", "prompt", "image_index", "seed", "png")
