"""Figures of the studies, and their page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mitune.comparison import ALL
from mitune.figures.studies import arms_by_mean
from mitune.metrics import JudgeScore
from mitune.pipelines.prompts.parameters import Prompts
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.studies.page import render_page
from mitune.pipelines.studies.parameters import Studies


def draw_studies(results: pd.DataFrame, metrics: Metrics, studies: Studies) -> dict[str, Figure]:
    """One figure per study, over all categories."""
    labels = {name: arm.label for name, arm in studies.every.items()}
    of_all = results[results["category"] == ALL]
    return {
        name: arms_by_mean(of_all[of_all["study"] == name], metrics.units, labels, study.against)
        for name, study in studies.shown.items()
    }


def write_studies_page(
    results: pd.DataFrame,
    claims: pd.DataFrame,
    sets: pd.DataFrame,
    figures: dict[str, Callable[[], bytes]],
    rank_figure: bytes,
    run_record: dict[str, dict[str, Any]],
    metrics: Metrics,
    prompts: Prompts,
    studies: Studies,
) -> str:
    """Everything on one self-contained page, beside the published tables."""
    return render_page(
        studies=studies,
        units=metrics.units,
        laboratory=any(isinstance(m, JudgeScore) for m in metrics.scorers.values()),
        categories=prompts.categories,
        results=results,
        claims=claims,
        sets=sets,
        figures={name: load() for name, load in figures.items() if name in studies.shown},
        rank_figure=rank_figure,
        timings=run_record.get("timings", {}),
    )
