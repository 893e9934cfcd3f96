"""The bench's figure and its page."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mitune.arm import Arm
from mitune.figures.methods import methods
from mitune.metrics import JudgeScore
from mitune.pipelines.compare.facts import Facts
from mitune.pipelines.compare.page import render_page
from mitune.pipelines.compare.table import GUIDANCES
from mitune.pipelines.quality.parameters import QualitySettings
from mitune.pipelines.shared.arms import read_arms
from mitune.pipelines.shared.metrics import Metrics


def draw_methods(
    metrics: Metrics, quality: QualitySettings, results: pd.DataFrame, *facts: Facts
) -> Figure:
    """The headline at both guidances, and the first distance."""
    headline = metrics.headline
    distance = next(iter(quality.measures), None)
    units = metrics.units[headline]
    return methods(results, arms_in(facts), headline, units, distance, GUIDANCES)


def write_page(
    metrics: Metrics,
    quality: QualitySettings,
    results: pd.DataFrame,
    differences: pd.DataFrame,
    costs: pd.DataFrame,
    win_rates: pd.DataFrame,
    figure: bytes,
    *facts: Facts,
) -> str:
    """Everything on one self-contained page."""
    return render_page(
        arms=arms_in(facts),
        facts={arm.name: of_arm for arm, of_arm in zip(arms_in(facts), facts, strict=True)},
        units=metrics.units,
        distances=list(quality.measures),
        laboratory=any(isinstance(m, JudgeScore) for m in metrics.scorers.values()),
        results=results,
        differences=differences,
        costs=costs,
        win_rates=win_rates,
        figure=figure,
    )


def arms_in(facts: tuple[dict[str, Any], ...]) -> tuple[Arm, ...]:
    """The arms that the facts are of, as they went."""
    return read_arms([of_arm["arm"] for of_arm in facts])
