"""Index a folder, score what has no score yet, put the scores in tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from mitune.comparison import describe
from mitune.datasets.shards import Shards
from mitune.errors import UserError
from mitune.image_folder import read_folder, read_pictures
from mitune.metrics import MetricConfig, MetricError
from mitune.pipelines.score import scores
from mitune.pipelines.shared.metrics import Metrics, metric_key
from mitune.pipelines.shared.resources import Resources


def index_images(images: Path) -> pd.DataFrame:
    """Every picture, its prompt, and the name of its content."""
    table = read_folder(images)
    return table.assign(digest=[_digest(images / file) for file in table["file"]])


def score_images(
    pictures: pd.DataFrame,
    images: Path,
    finished: Shards,
    metrics: Metrics,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame]]:
    """Yield one shard per metric and batch; a metric with nothing to do loads nothing."""
    for name, config in metrics.scorers.items():
        key = metric_key(config)
        todo = scores.unscored(pictures, scores.scores_there(config, key, finished))
        done = len(pictures) - len(todo)
        with tqdm(total=len(pictures), initial=done, desc=name, unit="picture") as progress:
            if todo.empty:
                continue
            for found in _scored(name, config, todo, images, resources):
                yield scores.new_shard(config, key, found)
                progress.update(len(found))


def _scored(
    name: str, config: MetricConfig, todo: pd.DataFrame, images: Path, resources: Resources
) -> Iterator[pd.DataFrame]:
    """Scores batch by batch. On its own, so that a metric is freed before the next is loaded."""
    scorer = config.load(resources.torch_device)
    for rows, batch in read_pictures(images, todo, resources.batch_size):
        found = scorer(batch, list(rows["prompt"]))
        bad = ~np.isfinite(found)
        if bad.any():
            file = rows["file"].iloc[int(bad.argmax())]
            raise MetricError(f"{file}: {name} is not finite; use dtype float32")
        yield rows[["digest", "prompt"]].assign(score=found)


def tabulate(
    shards: Shards, pictures: pd.DataFrame, metrics: Metrics
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """A row per picture, a row per category and metric, and what each metric depends on."""
    table = pictures.reset_index(drop=True)
    for name, config in metrics.scorers.items():
        there = scores.scores_there(config, metric_key(config), shards)
        table[name] = scores.matched(table, there)
        if table[name].isna().any():
            file = table["file"][table[name].isna().argmax()]
            raise UserError(f"{file}: has no {name}; run `kedro run --pipeline=score` again")
    names = list(metrics.scorers)
    return table, describe(table, names), metrics.provenance


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
