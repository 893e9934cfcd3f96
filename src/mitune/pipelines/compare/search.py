"""Train a method at every point, and measure each on the tuning prompts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pandas as pd
from tqdm import tqdm

from mitune.backbones import AdapterRef, ModelRef
from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.jobs import run
from mitune.pipelines.compare.cells import Trial, TrialWork, diverged_key
from mitune.pipelines.compare.points import Method
from mitune.pipelines.compare.tuning import tuned_on, tuning_cell
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.finetune.by_metric import training_by
from mitune.pipelines.finetune.nodes import trainable, training_on
from mitune.pipelines.finetune.preflight import chosen_metric
from mitune.pipelines.guidance_grid.nodes import CellWork
from mitune.pipelines.guidance_grid.parameters import GuidanceGrid
from mitune.pipelines.quality.parameters import NO_DISTANCES
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.workers import executor_of
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

    A point whose training leaves the finite numbers has neither: what it has is said in its cell.

    Raises
    ------
    UserError
        If the set is not as the objective needs it, or its metric cannot read a prompt of it.
    """
    headline = metrics.headline_alone
    reads = [*headline.scorers.values()]
    trials = []
    for point, settings in method.points(common).items():
        selection = trainable(finetuning_set, candidates, adapter_in, settings)
        given = (selection, model, adapter_in, workspace.scratch, settings, resources)
        if settings.objective.metric is None:
            training = training_on(*given)
        else:
            metric = chosen_metric("compare", settings, metrics)
            metric.check(sorted(set(selection["prompt"])))
            reads += [metric] * (metric not in reads)
            training = training_by(metric, *given)
        there = workspace.copy_adapter(training.key, training.scratch / training.key)
        trials.append(Trial(point, training, there, tuned_on(evaluation, tuning)))

    def key(trial: Trial) -> str:
        if not trial.trained:  # it may have been tried
            return diverged_key(trial.training)
        return trial.cell.key(tuning_prompts, headline, NO_DISTANCES)

    finished = workspace.shards({trial.point: key(trial) for trial in trials})
    whole = [trial for trial in trials if trial.trained and trial.point in finished]
    if finished:
        yield {trial.point: trial.cell.source.adapter for trial in whole}, dict(finished.files)

    def is_finished(trial: Trial) -> bool:
        return trial.point in finished

    work = TrialWork(CellWork(tuning_prompts, headline, NO_DISTANCES, resources))
    executor = executor_of(resources, model, *reads)
    with tqdm(total=len(trials), initial=len(finished), desc="points", unit="point") as progress:
        for result in run(trials, work, is_finished, executor):
            point, made = result.job.point, result.value
            if made.adapter is not None:
                cell = tuning_cell(point, model, made.adapter, result.job.settings)
                made.table.attrs = {"key": cell.key(tuning_prompts, headline, NO_DISTANCES)}
            yield {point: made.adapter} if made.adapter else {}, {point: made.table}
            progress.update()
