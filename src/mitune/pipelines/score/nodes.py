"""Index a folder, score what has no score yet, put the scores in tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from mitune.comparison import describe
from mitune.datasets.shards import Shards
from mitune.errors import UserError
from mitune.image_folder import alike, read_folder, read_pictures
from mitune.jobs import Worker, run
from mitune.metrics import MetricConfig
from mitune.metrics.base import check_scores
from mitune.pipelines.score import scores
from mitune.pipelines.shared.metrics import Metrics, metric_key
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.workers import executor_of


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
        todo = scores.unscored(pictures, scores.stored_scores(config, key, finished))
        done = len(pictures) - len(todo)
        jobs = [Pictures(rows) for rows in alike(todo, resources.batch_size)]
        with tqdm(total=len(pictures), initial=done, desc=name, unit="picture") as progress:
            work = Scoring(name, config, images)
            for result in run(jobs, work, lambda job: False, executor_of(resources, config)):
                yield scores.new_shard(config, key, result.value)
                progress.update(len(result.value))


@dataclass(frozen=True)
class Pictures:
    """A job: rows of the index, of pictures of one size."""

    rows: pd.DataFrame

    def __str__(self) -> str:
        files = self.rows["file"]
        return str(files.iloc[0]) if len(files) == 1 else f"{files.iloc[0]} to {files.iloc[-1]}"


@dataclass(frozen=True)
class Scoring:
    """Work with one metric; a worker frees it before it loads the next."""

    name: str
    config: MetricConfig
    images: Path

    def __call__(self, job: Pictures, worker: Worker) -> Iterator[pd.DataFrame]:
        config, rows = self.config, job.rows
        key = (config.kind, config.model_dump_json())
        scorer = worker.keep("scorer", key, lambda: nullcontext(config.load(worker.device)))
        values = scorer(read_pictures(self.images, rows), list(rows["prompt"]))
        check_scores(self.name, values, list(rows["file"]))
        yield rows[["digest", "prompt"]].assign(score=values)


def tabulate(
    shards: Shards, pictures: pd.DataFrame, metrics: Metrics
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """A row per picture, a row per category and metric, and what each metric depends on."""
    table = pictures.reset_index(drop=True)
    for name, config in metrics.scorers.items():
        known = scores.stored_scores(config, metric_key(config), shards)
        table[name] = scores.matched(table, known)
        if table[name].isna().any():
            file = table["file"][table[name].isna().argmax()]
            raise UserError(f"{file}: has no {name}; run `kedro run --pipeline=score` again")
    names = list(metrics.scorers)
    return table, describe(table, names), metrics.provenance


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
