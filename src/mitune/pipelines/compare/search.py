"""Train a method at every point, and take the one that is best on the tuning prompts."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pandas as pd
from tqdm import tqdm

from mitune.backbones import AdapterRef, ModelRef
from mitune.comparison import mean
from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.errors import UserError
from mitune.jobs import run
from mitune.metrics import MetricConfig
from mitune.pipelines.compare.cells import Trial, TrialWork
from mitune.pipelines.compare.points import Method
from mitune.pipelines.compare.tuning import NO_DISTANCES, headline_of, tuned_on, tuning_cell
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.finetune.by_metric import training_by
from mitune.pipelines.finetune.key import adapter_key
from mitune.pipelines.finetune.log import read_log
from mitune.pipelines.finetune.nodes import trainable
from mitune.pipelines.finetune.preflight import chosen_metric
from mitune.pipelines.finetune.training import Training
from mitune.pipelines.guidance_grid.cells import read_cell
from mitune.pipelines.guidance_grid.nodes import CellWork
from mitune.pipelines.guidance_grid.parameters import GuidanceGrid
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.workers import executor_of
from mitune.training.adapter_weights import facts_of
from mitune.training.finetuning import Finetuning

Saved: TypeAlias = tuple[dict[str, AdapterRef], dict[str, pd.DataFrame | Path]]


def try_points(
    finetuning_set: pd.DataFrame,
    candidates: Shards,
    tuning_prompts: pd.DataFrame,
    model: ModelRef,
    adapter_in: AdapterRef,
    workspace: Workspace,
    common: Finetuning,
    method: Method,
    tuning: GuidanceGrid,
    evaluation: Evaluation,
    metrics: Metrics,
    resources: Resources,
) -> Iterator[Saved]:
    """Adapters and scores of all points, made where they are not finished yet.

    Raises
    ------
    UserError
        If the set is not as the objective needs it, or its metric cannot read a prompt of it.
    """
    headline = headline_of(metrics)
    metric = _metric(method.training(common, {}), metrics)
    trials = []
    for point, settings in method.points(common).items():
        selection = trainable(finetuning_set, candidates, adapter_in, settings)
        given = (selection, model, adapter_in, workspace.scratch, settings, resources)
        training = training_by(metric, *given) if metric else plain_training(*given)
        there = workspace.copy_adapter(training.key, training.scratch / training.key)
        trials.append(Trial(point, training, there, tuned_on(evaluation, tuning)))

    def key(trial: Trial) -> str:
        return trial.cell.key(tuning_prompts, headline, NO_DISTANCES)

    finished = workspace.shards({trial.point: key(trial) for trial in trials if trial.trained})
    whole = [trial for trial in trials if trial.point in finished]
    if whole:
        yield {trial.point: trial.cell.source.adapter for trial in whole}, dict(finished.files)

    def is_finished(trial: Trial) -> bool:
        return trial.point in finished

    work = TrialWork(CellWork(tuning_prompts, headline, NO_DISTANCES, resources))
    reads = [*headline.scorers.values(), *([metric] if metric else [])]
    executor = executor_of(resources, model, *reads)
    with tqdm(total=len(trials), initial=len(whole), desc="points", unit="point") as progress:
        for result in run(trials, work, is_finished, executor):
            trial, made = result.job, result.value
            made.table.attrs = {"key": key(trial)}
            yield {trial.point: made.adapter}, {trial.point: made.table}
            progress.update()


def plain_training(
    selection: pd.DataFrame,
    model: ModelRef,
    adapter_in: AdapterRef,
    scratch: Path,
    settings: Finetuning,
    resources: Resources,
) -> Training:
    """The training of an objective that needs no metric."""
    key = adapter_key(selection, model, adapter_in, settings)
    return Training(selection, model, adapter_in, scratch, key, settings, resources)


def _metric(settings: Finetuning, metrics: Metrics) -> MetricConfig | None:
    if settings.objective.metric is None:
        return None
    return chosen_metric("compare", settings, metrics)


def choose_point(
    points: dict[str, AdapterRef],
    cells: Shards,
    tuning_prompts: pd.DataFrame,
    model: ModelRef,
    workspace: Workspace,
    common: Finetuning,
    method: Method,
    tuning: GuidanceGrid,
    evaluation: Evaluation,
    metrics: Metrics,
) -> tuple[pd.DataFrame, AdapterRef, pd.DataFrame]:
    """A row per point, with the headline's mean and interval; the best adapter, and its log.

    Of equal means the first in the order of the values. `seconds` is of one training; `elements`
    are those of a latent, over which errors are means.
    """
    headline = headline_of(metrics)
    rows = []
    for point, settings in method.points(common).items():
        adapter = _trained(points, point, settings)
        cell = tuning_cell(point, model, adapter, tuned_on(evaluation, tuning))
        table = read_cell(cells, cell, cell.key(tuning_prompts, headline, NO_DISTANCES))
        found = mean(table, metrics.headline)
        rows.append(
            {
                "point": point,
                "metric": metrics.headline,
                "value": found.mean,
                "low": found.low,
                "high": found.high,
                "prompts": found.prompts,
                "images": len(table),
                "seconds": _seconds(adapter),
                "elements": math.prod(facts_of(adapter)["latent_shape"]),
            }
        )
    table = pd.DataFrame(rows)
    best = int(table["value"].to_numpy().argmax())
    table["chosen"] = table.index == best
    return table, *_kept(points[table["point"][best]], workspace)


def _trained(points: dict[str, AdapterRef], point: str, settings: Finetuning) -> AdapterRef:
    """Raises UserError if there is none, or one of other settings."""
    wanted = json.loads(json.dumps(settings.model_dump(mode="json")))
    if point in points and facts_of(points[point])["finetuning"] == wanted:
        return points[point]
    raise UserError(f"{point}: not trained yet with these settings; run its node try_points")


def _seconds(adapter: AdapterRef) -> float:
    """Of the training, if one process did it alone as those beside it; else not a number."""
    alone = facts_of(adapter).get("processes") == 1
    return float(read_log(Path(str(adapter.path)))["seconds"].sum()) if alone else math.nan


def _kept(chosen: AdapterRef, workspace: Workspace) -> tuple[AdapterRef, pd.DataFrame]:
    """A copy, since an adapter is moved when it is saved; and the log."""
    folder = Path(str(chosen.path))
    copied = workspace.scratch / f"chosen_{chosen.digest}"
    shutil.copytree(folder, copied, dirs_exist_ok=True)
    return AdapterRef(str(copied), chosen.digest, chosen.round), read_log(folder)
