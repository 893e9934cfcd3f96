"""Which scorer, window and number of draws ranks best, on the tuning prompts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from mitune.agreement import agreement, replay
from mitune.backbones import AdapterRef, ModelRef
from mitune.datasets.shards import Shards
from mitune.pipelines.agreement.parameters import Study
from mitune.pipelines.generate.nodes import collect_scores, generate_candidates
from mitune.pipelines.parameters import Metrics, Resources


def generate_tuning(
    prompts: pd.DataFrame,
    model: ModelRef,
    adapter: AdapterRef,
    finished: dict[str, str],
    study: Study,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame]]:
    """Candidates of the tuning prompts, scored with all estimators."""
    yield from generate_candidates(prompts, model, adapter, finished, study.generate, resources)


def collect_tuning(
    candidates: Shards, prompts: pd.DataFrame, model: ModelRef, adapter: AdapterRef, study: Study
) -> pd.DataFrame:
    """Their scores."""
    return collect_scores(candidates, prompts, model, adapter, study.generate)


def compare(
    candidates: Shards, measurements: pd.DataFrame, study: Study, metrics: Metrics
) -> pd.DataFrame:
    """Agreement of every replayed variant with every metric, and its cost in evaluations."""
    shards = {name: candidates[name] for name in dict.fromkeys(measurements["prompt_id"])}
    variants = list(replay(shards, study.windows, study.draws))
    table = measurements.copy()
    for variant in variants:
        table = table.merge(variant.scores, on=["prompt_id", "image_index"])
    facts = pd.DataFrame([variant.facts for variant in variants])
    names = [variant.name for variant in variants]
    found = agreement(table, names, list(metrics.scorers), np.random.default_rng(0))
    return facts.merge(found, left_on="name", right_on="estimate").drop(columns="estimate")
