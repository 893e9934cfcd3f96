"""Train every arm that is not trained yet: several side by side, one process each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
from tqdm import tqdm

from mitune.backbones import AdapterRef, ModelRef
from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.errors import UserError
from mitune.jobs import Worker, run
from mitune.pipelines.finetune.nodes import train_alone, trainable, training_on
from mitune.pipelines.finetune.training import Training
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.workers import executor_of
from mitune.pipelines.studies.parameters import Studies, adapter_name
from mitune.pipelines.studies.sets import REAL, set_of
from mitune.training.finetuning import Finetuning


@dataclass(frozen=True)
class Trial:
    """A job: trainings of one key, and the names of all that ask for it."""

    names: tuple[str, ...]
    training: Training

    def __str__(self) -> str:
        return f"arm {', '.join(self.names)}"


@dataclass(frozen=True)
class TrialWork:
    """Every arm is one process's."""

    def __call__(self, trial: Trial, worker: Worker) -> Iterator[None]:
        train_alone(trial.training, worker)
        yield None


def train_arms(
    sets: pd.DataFrame,
    candidates: Shards,
    model: ModelRef,
    adapter_in: AdapterRef,
    workspace: Workspace,
    finetune: Finetuning,
    studies: Studies,
    resources: Resources,
    real: Shards | None = None,
    later_candidates: Shards | None = None,
    later_adapter_in: AdapterRef | None = None,
) -> Iterator[dict[str, AdapterRef]]:
    """The adapter of every arm and repeat, found again where its key was trained before.

    Raises
    ------
    UserError
        Naming the arm whose set or settings cannot be trained on.
    """
    pools = {1: (candidates, adapter_in), 2: (later_candidates, later_adapter_in)}
    pictures = Shards({}) if real is None else real
    trials: dict[str, Trial] = {}
    for name, arm in studies.trained.items():
        if arm.selection is None:
            continue
        shards, start = pools[arm.round]
        if shards is None or start is None:
            raise UserError(f"arms.{name}.round: there are no candidates of round {arm.round} here")
        if arm.real and real is None:
            raise UserError(f"arms.{name}.real: there are no real pictures here")
        for repeat in range(studies.repeats):
            settings = arm.training(finetune, repeat)
            if settings.objective.metric is not None:
                raise UserError(f"arms.{name}.finetune.objective: names a metric; choose another")
            try:
                chosen = trainable(
                    _captioned(set_of(sets, name, repeat), pictures),
                    Shards({**shards.files, **pictures.files}),
                    start,
                    settings,
                )
            except UserError as error:
                raise UserError(f"arms.{name}: {error}") from None
            made = training_on(chosen, model, start, workspace.scratch, settings, resources)
            same = trials[made.key].names if made.key in trials else ()
            trials[made.key] = Trial((*same, adapter_name(name, repeat)), made)
    yield from _found_or_trained(trials, model, workspace, resources)


def _captioned(lines: pd.DataFrame, real: Shards) -> pd.DataFrame:
    """Real pictures say for themselves what they show."""
    mixed_in = lines["pool"] == REAL
    texts = [real[name]["prompt"].iloc[0] for name in lines.loc[mixed_in, "prompt_id"]]
    captioned = lines.copy()
    captioned.loc[mixed_in, "prompt"] = texts
    return captioned


def _found_or_trained(
    trials: dict[str, Trial], model: ModelRef, workspace: Workspace, resources: Resources
) -> Iterator[dict[str, AdapterRef]]:
    def given(trial: Trial) -> Iterator[dict[str, AdapterRef]]:
        training = trial.training
        folder = training.scratch / training.key
        round_ = training.adapter_in.round + 1
        for name in trial.names:
            # What is saved is moved away: the next one copies it from there.
            if folder.exists() or workspace.copy_adapter(training.key, folder):
                yield {name: AdapterRef(str(folder), round=round_)}

    finished = {
        key
        for key, trial in trials.items()
        if workspace.copy_adapter(key, trial.training.scratch / key)
    }
    for key in finished:
        yield from given(trials[key])

    def is_finished(trial: Trial) -> bool:
        return trial.training.key in finished

    executor = executor_of(resources, model)
    with tqdm(total=len(trials), initial=len(finished), desc="arms") as progress:
        for result in run(trials.values(), TrialWork(), is_finished, executor):
            yield from given(result.job)
            progress.update()
