"""Train an adapter on the chosen candidates, unless it has been trained already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from mitune.backbones import AdapterRef, ModelRef
from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.errors import UserError
from mitune.jobs import Rank, Worker, alone, together
from mitune.objectives import Objective, Online
from mitune.objectives.rows.table import ExampleTable
from mitune.pipelines.finetune.key import adapter_key
from mitune.pipelines.finetune.training import Training
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.training_log import read_log, write_log
from mitune.pipelines.shared.workers import ReadsFiles, ranks_of
from mitune.training.checkpoint import TrainingStep
from mitune.training.finetuning import Finetuning, check_start


def train(
    finetuning_set: pd.DataFrame,
    candidates: Shards,
    model: ModelRef,
    adapter_in: AdapterRef,
    workspace: Workspace,
    settings: Finetuning,
    resources: Resources,
) -> tuple[AdapterRef, pd.DataFrame]:
    """The adapter of this round, and its training log; found again if it was made before."""
    selection = trainable(finetuning_set, candidates, adapter_in, settings)
    given = (selection, model, adapter_in, workspace.scratch, settings, resources)
    return found_or_trained(training_on(*given), workspace)


def training_on(
    selection: pd.DataFrame,
    model: ModelRef,
    adapter_in: AdapterRef,
    scratch: Path,
    settings: Finetuning,
    resources: Resources,
) -> Training:
    """The training of an objective that names no metric."""
    key = adapter_key(selection, model, adapter_in, settings)
    return Training(selection, model, adapter_in, scratch, key, settings, resources)


def train_alone(training: Training, worker: Worker) -> None:
    """Train in this process, whatever others do, and keep the log with the adapter.

    Trainings side by side need not add up each other's gradients.
    """
    steps = list(training(Rank(), worker))
    write_log(training.scratch / training.key, steps)


def trainable(
    finetuning_set: pd.DataFrame, candidates: Shards, adapter_in: AdapterRef, settings: Finetuning
) -> pd.DataFrame:
    """The set with its latents.

    Raises
    ------
    UserError
        If it, or the adapter to go on with, is not as the settings need it.
    """
    check_start(settings, adapter_in)
    check_examples(finetuning_set, settings)
    return with_latents(finetuning_set, candidates)


def found_or_trained(
    training: Training, workspace: Workspace, *reads: ReadsFiles
) -> tuple[AdapterRef, pd.DataFrame]:
    """The adapter and its log. `reads`: what every process has open besides the model."""
    folder = training.scratch / training.key
    if not workspace.copy_adapter(training.key, folder):
        write_log(folder, _train(training, reads))
    return AdapterRef(str(folder), round=training.adapter_in.round + 1), read_log(folder)


def _train(training: Training, reads: Sequence[ReadsFiles]) -> Iterator[TrainingStep]:
    """Its steps, with a bar."""
    optimisation, group = training.settings.optimisation, training.settings.objective.group
    at_most = optimisation.batch_size // group
    pool = ranks_of(training.resources, at_most, training.model, *reads)
    steps = together(training, pool) if pool else alone(training, training.resources.torch_device)
    yield from tqdm(steps, total=optimisation.steps, desc="finetune", unit="step")


def with_latents(finetuning_set: pd.DataFrame, candidates: Shards) -> pd.DataFrame:
    """Lines of the set, in their order, together with their latents.

    A line's picture is in the shard of its prompt, or in that which a column `shard` names.

    Raises
    ------
    UserError
        If the set is empty, or one of its pictures is not among the candidates.
    """
    if finetuning_set.empty:
        raise UserError("the fine-tuning set is empty; check compose and the candidates' scores")
    latents: list[pd.Series] = []
    shape: list[int] = []
    by = "shard" if "shard" in finetuning_set else "prompt_id"
    for name, lines in finetuning_set.groupby(by, sort=False):
        shard = candidates[str(name)]
        shape = shard.attrs["latent_shape"]
        absent = set(lines["image_index"]) - set(shard["image_index"])
        if absent:
            raise UserError(
                f"{name}: candidate {min(absent)} of the fine-tuning set is not there; "
                "rerun compose"
            )
        by_index = pd.Series(list(shard["latent"]), list(shard["image_index"]))
        latents.append(pd.Series(by_index[lines["image_index"]].to_list(), lines.index))
    selection = finetuning_set.assign(latent=pd.concat(latents)).reset_index(drop=True)
    selection.attrs = {"latent_shape": shape}
    return selection


def check_examples(selection: pd.DataFrame, settings: Finetuning) -> None:
    """The set must have the examples that the objective trains on; its model need not be there.

    Raises
    ------
    UserError
        Naming the column, or the example and what it lacks.
    """
    objective: Objective[Any, Any] = settings.objective
    if not isinstance(objective, Online):
        ExampleTable(selection, objective.rows.roles)
