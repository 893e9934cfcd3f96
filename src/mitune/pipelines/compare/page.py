"""The bench's page: one self-contained HTML file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mitune.arm import Arm
from mitune.metrics.units import Units
from mitune.pipelines.compare.facts import Facts
from mitune.pipelines.compare.table import DEFAULT, GUIDANCES, OWN
from mitune.pipelines.compare.verdict import verdict
from mitune.pipelines.shared.pages import embedded, pages_of

_STRENGTHS = ("beta", "lam")


def render_page(
    arms: Sequence[Arm],
    facts: Mapping[str, Facts],
    units: Mapping[str, Units],
    distances: Sequence[str],
    laboratory: bool,
    results: pd.DataFrame,
    differences: pd.DataFrame,
    costs: pd.DataFrame,
    win_rates: pd.DataFrame,
    figure: bytes,
) -> str:
    """HTML; the first of `arms` is the base, the first of `units` the headline."""
    template = pages_of("mitune.pipelines.compare").get_template("compare.html")
    metric = next(iter(units))
    cells = _by(("model", "guidance", "measure"), results)
    away = _by(("model", "other", "guidance", "measure"), differences)
    named = {arm.name: arm for arm in arms}
    return template.render(
        arms=arms,
        facts=facts,
        units=units,
        metric=metric,
        u=units[metric],
        distances=distances,
        guidances=GUIDANCES,
        default=DEFAULT,
        own=OWN,
        laboratory=laboratory,
        cells=cells,
        away=away,
        yardsticks=[named[name] for name in dict.fromkeys(differences["other"])],
        verdicts=[
            verdict(arms, metric, units[metric], guidance, cells, away) for guidance in GUIDANCES
        ],
        costs=costs.set_index("model").to_dict("index"),
        wins=_wins(win_rates),
        settings={arm.name: settings_of(facts[arm.name]) for arm in arms if arm.trained},
        reward_note=reward_note(arms, facts),
        watched=_watched(facts),
        isnan=math.isnan,
        figure=embedded(figure),
    )


def settings_of(facts: Facts) -> dict[str, Any]:
    """What was chosen, and the strength that its papers would print.

    Losses take means over the N elements of a latent where the papers sum: a strength in front of
    a mean is N times that in front of a sum.
    """
    objective = facts["finetune"]["objective"]
    elements = facts["elements"]
    return {
        "point": facts["point"].replace("__", ", ").replace("_", " "),
        "points": facts["points"],
        "of_a_sum": [
            f"{name} {objective[name]:g} in front of a mean over {elements} elements is "
            f"{objective[name] / elements:.3g} in front of their sum"
            for name in _STRENGTHS
            if name in objective
        ],
        "compose": json.dumps(facts["compose"]["selection"]),
        "finetune": json.dumps(facts["finetune"]),
    }


def reward_note(arms: Sequence[Arm], facts: Mapping[str, Facts]) -> str:
    """Who has seen which metric."""
    seen = [
        f"{arm.label} by {' and '.join(facts[arm.name]['rewards'])}"
        for arm in arms
        if arm.reward_used
    ]
    if not seen:
        return "No metric chose or trained: they only measure."
    return (
        f"† Chosen or trained by a metric, which then does not measure independently "
        f"(its figures are in brackets): {'; '.join(seen)}."
    )


def _watched(facts: Mapping[str, Facts]) -> list[str]:
    """What any arm has logged, `loss` first."""
    logged = (name for of_arm in facts.values() for name in of_arm["training"].get("last", {}))
    return list(dict.fromkeys(logged))


def _by(columns: Sequence[str], table: pd.DataFrame) -> dict[Any, dict[str, Any]]:
    """Rows, by what stands in these columns."""
    rows: list[dict[str, Any]] = table.to_dict("records")  # type: ignore[assignment]
    return {tuple(row[column] for column in columns): row for row in rows}


def _wins(table: pd.DataFrame) -> dict[Any, dict[str, Any]]:
    """By model, other and metric, whichever of the two was counted."""
    counted = _by(("model", "other", "metric"), table)
    turned = {
        (other, model, metric): {"rate": 1 - r["rate"], "low": 1 - r["high"], "high": 1 - r["low"]}
        for (model, other, metric), r in counted.items()
    }
    return turned | counted
