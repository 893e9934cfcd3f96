"""Measure candidates with every metric; compare with the estimates of MI."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mitune.agreement import agreement
from mitune.backbones import ModelRef
from mitune.candidates import ESTIMATES
from mitune.datasets.shards import Shards
from mitune.figures.agreement import agreement_figure
from mitune.figures.by_rank import by_rank
from mitune.figures.contact_sheet import contact_sheet
from mitune.pipelines.shared.measuring import Measuring, measured
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.resources import Resources
from mitune.ranking import order


def measure_candidates(
    candidates: Shards,
    scores: pd.DataFrame,
    model: ModelRef,
    metrics: Metrics,
    resources: Resources,
) -> tuple[pd.DataFrame, Figure]:
    """Decode every candidate, score it; a contact sheet of the first prompts ordered by MI."""
    best = estimates_in(scores)[-1]
    images = int(scores.groupby("prompt_id").size().iloc[0])  # M
    shown = dict.fromkeys(scores.drop_duplicates("category")["prompt_id"], images)
    work = Measuring(candidates, images, shown, model, metrics, resources)
    measurements = measured(work, list(dict.fromkeys(scores["prompt_id"])))
    sheet = [
        (table["prompt"].iloc[0], *best_first(table, pictures, best))
        for prompt_id, table, pictures in measurements
        if prompt_id in shown
    ]
    threshold = metrics.units[metrics.headline].threshold
    drawn = contact_sheet(sheet, best, metrics.headline, threshold)
    return pd.concat([each.table for each in measurements], ignore_index=True), drawn


def best_first(
    table: pd.DataFrame, pictures: NDArray[np.uint8], score: str
) -> tuple[pd.DataFrame, NDArray[np.uint8]]:
    """Candidates of a prompt and their pictures, both ordered by `score`."""
    ranked = order(table.assign(picture=range(len(table))), score)
    return ranked, pictures[ranked["picture"]]


def estimates_in(table: pd.DataFrame) -> list[str]:
    """The estimates of MI that a table holds."""
    return [name for name in ESTIMATES if name in table]


def analyse(measurements: pd.DataFrame, metrics: Metrics) -> tuple[pd.DataFrame, Figure, Figure]:
    """Kendall's tau and AUC within prompts, a figure of them, and metrics by MI rank (Fig. 17).

    The table goes on with how far each metric agrees with the others.
    """
    estimates, names = estimates_in(measurements), list(metrics.scorers)
    table = agreement(measurements, estimates, names)
    among = agreement(measurements, names, names)
    return (
        pd.concat([table, among[among["estimate"] != among["metric"]]], ignore_index=True),
        agreement_figure(table),
        by_rank(measurements, estimates, metrics.units),
    )
