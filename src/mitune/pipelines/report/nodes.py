"""Summaries of all arms, and the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mitune import comparison as library
from mitune.arm import Arm
from mitune.figures.alignment import alignment
from mitune.metrics import JudgeScore
from mitune.pipelines.report.changes import largest_changes
from mitune.pipelines.report.page import render_page
from mitune.pipelines.report.shown import Shown
from mitune.pipelines.shared.arms import ArmFacts, read_arms
from mitune.pipelines.shared.metrics import Metrics


def summarise(
    arms: tuple[Arm, ...],
) -> Callable[..., tuple[pd.DataFrame, dict[str, Any], Figure]]:
    """Node function over the evaluations of `arms`, in that order; the first is the baseline."""

    def summarise_arms(
        metrics: Metrics, facts: ArmFacts, *evaluations: pd.DataFrame
    ) -> tuple[pd.DataFrame, dict[str, Any], Figure]:
        by_arm = {arm.name: table for arm, table in zip(arms, evaluations, strict=True)}
        shown, metric = read_arms(facts), metrics.headline
        summary = library.summarise(by_arm, list(metrics.scorers), arms[0].name)
        used = {arm.name: arm.reward_used for arm in shown}
        summary["reward_used"] = summary["model"].map(used)
        headline = _of_everything(summary)
        for first, second in contrasts(arms):
            found = library.paired(by_arm, first.name, second.name, metric)
            headline[f"{first.name} - {second.name}.{metric}"] = asdict(found)
        categories = library.categories_of(summary)
        drawn = alignment(summary, categories, metric, metrics.units[metric], shown)
        return summary, headline, drawn

    return summarise_arms


def _of_everything(summary: pd.DataFrame) -> dict[str, Any]:
    return {
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
        for row in summary[summary["category"] == library.ALL].itertuples(index=False)
    }


def contrasts(arms: tuple[Arm, ...]) -> list[tuple[Arm, Arm]]:
    """Trained arms against the controls; controls against the first of them."""
    controls = [arm for arm in arms if arm.control]
    return [
        (arm, control)
        for arm in arms
        for control in controls
        if arm.trained and arm is not control and (not arm.control or control is controls[0])
    ]


def write_page(arms: tuple[Arm, ...]) -> Callable[..., str]:
    """Node function: everything on one self-contained page.

    Candidates and training are shown of the first arm that has both of its own.
    """
    shown_round = next(arm.name for arm in arms if arm.trained and arm.candidates_of is None)

    def write_report(
        metrics: Metrics,
        described: ArmFacts,
        facts: dict[str, Any],
        summary: pd.DataFrame,
        headline: dict[str, Any],
        run_record: dict[str, dict[str, Any]],
        published: dict[str, Any],
        metric_provenance: dict[str, dict[str, Any]],
        surveys: dict[str, dict[str, Any]],
        curve: pd.DataFrame,
        curve_figure: bytes,
        alignment_figure: bytes,
        before: pd.DataFrame,
        after: pd.DataFrame,
        *shown: Shown,
    ) -> str:
        parts = {arm.name: of_arm for arm, of_arm in zip(arms, shown, strict=True)}
        figures = parts[shown_round]["figures"]().set_index("name")["png"]
        return render_page(
            arms=read_arms(described),
            units=metrics.units,
            laboratory=any(isinstance(m, JudgeScore) for m in metrics.scorers.values()),
            facts=facts,
            summary=summary,
            headline=headline,
            timings=run_record.get("timings", {}),
            provenance=run_record.get("provenance", {}),
            published=published,
            metric_provenance=metric_provenance,
            surveys=surveys,
            agreement=parts[shown_round]["agreement"](),
            curve=curve,
            pictures={
                "curve": curve_figure,
                "alignment": alignment_figure,
                **figures,
            },
            changes=largest_changes(before, after, metrics.headline),
            samples={name: of_arm["samples"]() for name, of_arm in parts.items()},
        )

    return write_report
