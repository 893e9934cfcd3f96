"""Which scorer, window and number of draws ranks best, on the tuning prompts."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from mitune.agreement import agreement, replay
from mitune.datasets.shards import Shards
from mitune.figures.races import race_figure
from mitune.pipelines.agreement.parameters import Races, Replay
from mitune.pipelines.shared.metrics import Metrics
from mitune.racing import replay_races


def compare(
    candidates: Shards, measurements: pd.DataFrame, settings: Replay, metrics: Metrics
) -> pd.DataFrame:
    """Agreement of every replayed variant with every metric, and its cost in evaluations."""
    shards = {name: candidates[name] for name in dict.fromkeys(measurements["prompt_id"])}
    variants = list(replay(shards, settings.windows, settings.increments))
    table = measurements.copy()
    for variant in variants:
        table = table.merge(variant.scores, on=["prompt_id", "image_index"])
    facts = pd.DataFrame([variant.facts for variant in variants])
    names = [variant.name for variant in variants]
    correlations = agreement(table, names, list(metrics.scorers))
    return facts.merge(correlations, left_on="name", right_on="estimate").drop(columns="estimate")


def race(candidates: Shards, prompts: pd.DataFrame, races: Races) -> tuple[pd.DataFrame, Figure]:
    """What races between the candidates would have cost and kept."""
    shards = {name: candidates[name] for name in prompts["prompt_id"]}
    table = replay_races(shards, list(races.rules), races.rungs, races.winners)
    return table, race_figure(table)
