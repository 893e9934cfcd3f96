"""Run every estimator on every task, one shard each; put the results in a table."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.errors import UserError
from mitune.figures.mi_benchmark import mi_benchmark_table
from mitune.jobs import Worker, run
from mitune.lineage import source_code
from mitune.mi_benchmark import TASKS, EstimatorConfig, draw
from mitune.pipelines.mi_benchmark.parameters import MIBenchmark
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.workers import executor_of


@dataclass(frozen=True)
class _Job:
    task: str
    name: str
    config: EstimatorConfig
    seed: int
    train: int
    test: int

    def __str__(self) -> str:
        return self.shard

    @property
    def shard(self) -> str:
        return f"{self.task}__{self.name}__{self.seed}"

    @property
    def key(self) -> str:
        code = source_code.computing(self.config, draw.__module__)
        settings = self.config.model_dump(mode="json")
        facts = [self.task, settings, self.seed, self.train, self.test, code]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def estimate(
    settings: MIBenchmark, workspace: Workspace, resources: Resources
) -> Iterator[dict[str, pd.DataFrame | Path]]:
    """A shard per task, estimator and seed, made where it is not finished yet."""
    jobs = _jobs(settings)
    finished = workspace.shards({job.shard: job.key for job in jobs})
    if finished:
        yield dict(finished.files)
    # Small networks gain nothing from an accelerator; whole jobs do from several cores.
    executor = executor_of(resources, device="cpu")
    with tqdm(total=len(jobs), initial=len(finished), desc="estimates") as progress:
        for result in run(jobs, _run, lambda job: job.shard in finished, executor):
            yield {result.job.shard: result.value}
            progress.update()


def tabulate(shards: Shards, settings: MIBenchmark) -> pd.DataFrame:
    """One row per task, estimate and seed: task, truth, estimator, seed, estimate, seconds.

    Raises
    ------
    UserError
        If one is missing, or was made by other settings or code.
    """
    return pd.concat([_read(shards, job) for job in _jobs(settings)], ignore_index=True)


def _read(shards: Shards, job: _Job) -> pd.DataFrame:
    table = shards.made_under(job.shard, job.key)
    if table is None:
        raise UserError(
            f"{job.shard}: missing, or of other settings or code; run "
            "`kedro run --pipeline=mi_benchmark`"
        )
    return table


def draw_table(results: pd.DataFrame) -> Figure:
    """Estimators by tasks, coloured by error."""
    return mi_benchmark_table(results)


def _jobs(settings: MIBenchmark) -> list[_Job]:
    return [
        _Job(task, name, config, seed, settings.train, settings.test)
        for seed in settings.seeds
        for name, config in settings.estimators.items()
        for task in settings.tasks
    ]


def _run(job: _Job, worker: Worker) -> Iterator[pd.DataFrame]:
    task = TASKS[job.task]
    samples = draw(task, job.train, job.test, job.seed)
    start = time.perf_counter()
    try:
        estimates = job.config.estimate(samples, job.seed)
    except FloatingPointError:  # its training diverged: a result, not the end of the benchmark
        estimates = dict.fromkeys(job.config.names, math.nan)
    seconds = time.perf_counter() - start
    table = pd.DataFrame(
        {
            "task": job.task,
            "truth": task.information,
            "estimator": list(estimates),
            "seed": job.seed,
            "estimate": list(estimates.values()),
            "seconds": seconds,
        }
    )
    table.attrs = {"key": job.key}
    yield table
