"""Summaries of all models, and the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mitune import comparison as library
from mitune import figures
from mitune.pipelines.report.page import render_page
from mitune.pipelines.shared.label import label
from mitune.pipelines.shared.metrics import Metrics


def summarise(
    models: tuple[str, ...],
) -> Callable[..., tuple[pd.DataFrame, dict[str, Any], Figure]]:
    """Node function over the evaluations of `models`, in that order; the first is the baseline."""

    def summarise_models(
        metrics: Metrics, *evaluations: pd.DataFrame
    ) -> tuple[pd.DataFrame, dict[str, Any], Figure]:
        by_model = dict(zip(models, evaluations, strict=True))
        names = list(metrics.scorers)
        summary = library.summarise(by_model, names, models[0])
        overall = summary[(summary["category"] == library.ALL)]
        headline = {
            f"{row.model}.{row.metric}": {
                "mean": row.mean,
                "low": row.low,
                "high": row.high,
                "difference_to_base": row.difference,
                "difference_low": row.difference_low,
                "difference_high": row.difference_high,
                "prompts": row.prompts,
                "images": row.images,
            }
            for row in overall.itertuples(index=False)
        }
        for first, second in _contrasts(models):
            found = library.paired(by_model, first, second, names[0])
            headline[f"{first} - {second}.{names[0]}"] = {
                "mean": found.mean,
                "low": found.low,
                "high": found.high,
                "prompts": found.prompts,
            }
        labels = {model: label(model) for model in models}
        return summary, headline, figures.alignment(summary, names[0], labels)

    return summarise_models


def _contrasts(models: tuple[str, ...]) -> list[tuple[str, str]]:
    rounds = [m for m in models if m.startswith("round_")]
    controls = [m for m in models if m.endswith("_k")]
    return [(r, control) for r in rounds for control in controls]


def write_page(models: tuple[str, ...]) -> Callable[..., str]:
    """Node function: everything on one self-contained page."""

    def write_report(
        facts: dict[str, Any],
        summary: pd.DataFrame,
        headline: dict[str, Any],
        timings: dict[str, float],
        provenance: dict[str, Any],
        published: dict[str, Any],
        metrics: dict[str, dict[str, Any]],
        agreement: pd.DataFrame,
        alignment_figure: bytes,
        agreement_figure: bytes,
        rank_figure: bytes,
        training_figure: bytes,
        contact_sheet: bytes,
        *samples: pd.DataFrame,
    ) -> str:
        return render_page(
            {model: label(model) for model in models},
            facts,
            summary,
            headline,
            timings,
            provenance,
            published,
            metrics,
            agreement,
            {
                "alignment": alignment_figure,
                "agreement": agreement_figure,
                "by_rank": rank_figure,
                "training": training_figure,
                "candidates": contact_sheet,
            },
            dict(zip(models, samples, strict=True)),
        )

    return write_report
