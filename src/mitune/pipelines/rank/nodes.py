"""Measure candidates with every metric; compare with the estimates of MI."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm import tqdm

from mitune import figures
from mitune.agreement import agreement
from mitune.backbones import AdapterRef, ModelRef
from mitune.candidates import ESTIMATES
from mitune.datasets.shards import Shards
from mitune.evaluation import measure
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.models import opened
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
    scorers = metrics.load(resources.torch_device)
    best = estimates_in(scores)[-1]
    tables, sheet = [], []
    images = int(scores.groupby("prompt_id").size().iloc[0])  # M
    shown = set(scores.drop_duplicates("category")["prompt_id"])
    with opened(model, AdapterRef(None), resources) as backbone:
        for prompt_id in tqdm(dict.fromkeys(scores["prompt_id"]), desc="measure", unit="prompt"):
            shard = candidates[prompt_id].head(images)
            table, pictures = measure(backbone, shard, scorers)
            tables.append(table)
            if prompt_id in shown:
                sheet.append((table["prompt"].iloc[0], *best_first(table, pictures, best)))
    return pd.concat(tables, ignore_index=True), figures.contact_sheet(
        sheet, best, next(iter(metrics.scorers))
    )


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
    table = agreement(measurements, estimates, names, np.random.default_rng(0))
    among = agreement(measurements, names, names, np.random.default_rng(1))
    return (
        pd.concat([table, among[among["estimate"] != among["metric"]]], ignore_index=True),
        figures.agreement(table),
        figures.by_rank(measurements, estimates, names),
    )
