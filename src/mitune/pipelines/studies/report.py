"""Figures of the studies, and their page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mitune.comparison import ALL
from mitune.figures.studies import arms_by_mean
from mitune.metrics import JudgeScore
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.studies.page import Bench, render_page
from mitune.pipelines.studies.parameters import Studies

PARTS = ("params", "test_prompts", "results", "claims", "set_facts", "figures")


def draw_studies(results: pd.DataFrame, metrics: Metrics, studies: Studies) -> dict[str, Figure]:
    """One figure per study, over all categories."""
    labels = {name: arm.label for name, arm in studies.every.items()}
    of_all = results[results["category"] == ALL]
    return {
        name: arms_by_mean(of_all[of_all["study"] == name], metrics.units, labels, study.against)
        for name, study in studies.shown.items()
    }


def write_page(benches: tuple[str, ...]) -> Callable[..., str]:
    """Node function over `PARTS` of each of `benches` in turn."""

    def write_studies_page(
        metrics: Metrics,
        rank_figure: bytes,
        run_record: dict[str, dict[str, Any]],
        *parts: Any,
    ) -> str:
        """Everything on one self-contained page, beside the published tables."""
        size = len(PARTS)
        given = [parts[start : start + size] for start in range(0, len(parts), size)]
        return render_page(
            [_bench(name, *own) for name, own in zip(benches, given, strict=True)],
            units=metrics.units,
            laboratory=any(isinstance(m, JudgeScore) for m in metrics.scorers.values()),
            rank_figure=rank_figure,
            timings=run_record.get("timings", {}),
        )

    return write_studies_page


def _bench(
    name: str,
    settings: Any,
    test_prompts: pd.DataFrame,
    results: pd.DataFrame,
    claims: pd.DataFrame,
    sets: pd.DataFrame,
    figures: dict[str, Callable[[], bytes]],
) -> Bench:
    studies = Studies.model_validate(settings)
    drawn = {study: load() for study, load in figures.items() if study in studies.shown}
    categories = list(dict.fromkeys(test_prompts["category"]))
    return Bench(name, studies, categories, results, claims, sets, drawn)
