"""The report: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mitune.arm import Arm
from mitune.comparison import ALL, categories_of
from mitune.metrics.units import Units
from mitune.pipelines.report.changes import Changes
from mitune.pipelines.report.dependence import dependence_rows
from mitune.pipelines.report.people import UNITS, people
from mitune.pipelines.report.verdict import by_category, verdict
from mitune.pipelines.shared.pages import embedded, pages_of
from mitune.statistics import Interval


def render_page(
    arms: tuple[Arm, ...],
    units: Mapping[str, Units],
    laboratory: bool,
    facts: Mapping[str, Any],
    summary: pd.DataFrame,
    headline: Mapping[str, Any],
    timings: Mapping[str, float],
    provenance: Mapping[str, Any],
    published: Mapping[str, Any],
    metric_provenance: Mapping[str, Mapping[str, Any]],
    surveys: Mapping[str, Mapping[str, Any]],
    agreement: pd.DataFrame,
    curve: pd.DataFrame,
    pictures: Mapping[str, bytes],
    changes: Changes,
    samples: Mapping[str, pd.DataFrame],
) -> str:
    """HTML with every picture inside it; the first of `arms` is the base, the last is the result.

    `headline` holds differences between arms by `{first} - {second}.{metric}`. `laboratory`:
    whether all of this happened in the miniature world.
    """
    template = pages_of("mitune.pipelines.report").get_template("report.html")
    metric = next(iter(units))
    cells = {(r.model, r.category, r.metric): r for r in summary.itertuples(index=False)}
    overall = {arm.name: cells[arm.name, ALL, metric] for arm in arms}
    contrasts = _contrasts(arms, headline, metric)
    last = arms[-1]
    result = overall[last.name]
    differences = {arms[0].label: _difference(result)}
    yardstick = next((arm for arm in arms if arm.control), None)
    if yardstick and (last, yardstick) in contrasts:
        differences[yardstick.label] = contrasts[last, yardstick]
    return template.render(
        arms=arms,
        last=last,
        units=units,
        metric=metric,
        laboratory=laboratory,
        facts=facts,
        categories=categories_of(summary),
        cells=cells,
        overall=overall,
        difference=_difference,
        yardstick=yardstick,
        contrasts=contrasts,
        verdict=verdict(last.label, metric, units[metric], differences),
        by_category=by_category(summary[summary["model"] == last.name], metric, units[metric]),
        reward_note=reward_note(arms),
        timings=timings,
        provenance=provenance,
        published=published,
        dependence=dependence_rows(metric_provenance),
        people=people(surveys, arms),
        points=UNITS,
        total=sum(timings.values()),
        agreement=agreement.to_dict("records"),
        curve=curve.iloc[0],
        figures={title: embedded(png) for title, png in pictures.items()},
        changes=changes,
        grid=_grid(changes, samples, metric, units[metric]),
    )


def reward_note(arms: tuple[Arm, ...]) -> str:
    """Whether a metric has been more than a measure, and of which arms."""
    used = [arm.label for arm in arms if arm.reward_used]
    if not used:
        return "No metric was used to choose or to train: they only measure."
    return (
        f"† A metric chose what {', '.join(used)} learned from, or was what it learned to raise: "
        "that metric does not measure it independently."
    )


def _contrasts(
    arms: tuple[Arm, ...], headline: Mapping[str, Any], metric: str
) -> dict[tuple[Arm, Arm], Interval]:
    named = {
        (first, second): f"{first.name} - {second.name}.{metric}"
        for second in arms
        for first in arms
    }
    return {pair: Interval(**headline[key]) for pair, key in named.items() if key in headline}


def _difference(row: Any) -> Interval:
    """To the base, of a row of the summary."""
    low, high = row.difference_low, row.difference_high
    return Interval(row.difference, low, high, float("nan"), row.prompts)


def _grid(
    changes: Changes, samples: Mapping[str, pd.DataFrame], metric: str, units: Units
) -> list[dict[str, Any]]:
    """Rows of the before/after grid: the same prompt and seeds under every arm."""
    rows = []
    for prompt_id in changes.prompts:
        parts = {name: t[t["prompt_id"] == prompt_id] for name, t in samples.items()}
        first = next(iter(parts.values())).iloc[0]
        rows.append(
            {
                "prompt": first["prompt"],
                "category": first["category"],
                "change": changes.difference[prompt_id],
                "cells": {name: _pictures(part, metric, units) for name, part in parts.items()},
            }
        )
    return rows


def _pictures(part: pd.DataFrame, metric: str, units: Units) -> list[dict[str, Any]]:
    return [
        {
            "png": embedded(png),
            "right": units.threshold is not None and score > units.threshold,
            "score": units.value(score),
        }
        for png, score in zip(part["png"], part[metric], strict=True)
    ]
