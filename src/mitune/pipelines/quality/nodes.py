"""Compare embedded test images with references; count wins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import combinations
from typing import TypeAlias

import pandas as pd
from matplotlib.figure import Figure

from mitune.arm import Arm
from mitune.errors import UserError
from mitune.figures.quality import quality as quality_figure
from mitune.metrics.features import Features, Moments
from mitune.metrics.win_rate import win_rate
from mitune.pipelines.quality.parameters import QualitySettings, embedder_name
from mitune.pipelines.shared.arms import ArmFacts, read_arms
from mitune.pipelines.shared.metrics import Metrics

CONTROL = "reference again"
_ByEmbedder: TypeAlias = Mapping[str, Features | Moments]


def compare(arms: tuple[Arm, ...]) -> Callable[..., tuple[pd.DataFrame, Figure]]:
    """Node function: one row per arm and measure, and their figure."""

    def compare_models(
        settings: QualitySettings,
        facts: ArmFacts,
        reference: _ByEmbedder,
        *every: _ByEmbedder,
    ) -> tuple[pd.DataFrame, Figure]:
        sets = dict(zip((arm.name for arm in arms), every, strict=True))
        rows = []
        for measure, quality in settings.measures.items():
            name = embedder_name(quality.embedder)
            reference_features = _seen_by(name, "reference", reference)
            compared = {model: _seen_by(name, model, features) for model, features in sets.items()}
            if f"control-{name}" in reference:
                compared[CONTROL] = reference[f"control-{name}"]
            for model, features in compared.items():
                distance = quality.compare(features, reference_features)
                rows.append({"model": model, "distance": measure, **asdict(distance)})
        table = pd.DataFrame(rows)
        return table, quality_figure(table, read_arms(facts), CONTROL)

    return compare_models


def _seen_by(embedder: str, owner: str, features: _ByEmbedder) -> Features | Moments:
    if embedder not in features:
        raise UserError(
            f"{owner}: its pictures were not embedded with {embedder}; rerun pipeline quality"
        )
    return features[embedder]


def count_wins(arms: tuple[Arm, ...]) -> Callable[..., pd.DataFrame]:
    """Node function: every arm against each before it, by metric; a prompt is a trial."""
    names = [arm.name for arm in arms]

    def count_wins_of_models(metrics: Metrics, *evaluations: pd.DataFrame) -> pd.DataFrame:
        tables = dict(zip(names, evaluations, strict=True))
        rows = [
            {"model": model, "other": other, "metric": metric, **asdict(wins)}
            for other, model in combinations(names, 2)
            for metric in metrics.scorers
            for wins in (win_rate(tables[model], tables[other], metric),)
        ]
        return pd.DataFrame(rows)

    return count_wins_of_models
