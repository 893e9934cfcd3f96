"""Train an adapter on the chosen candidates, unless it has been trained already."""

from __future__ import annotations

import json
from dataclasses import asdict

import pandas as pd
from tqdm import tqdm

from mitune.backbones import AdapterRef, ModelRef
from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.jobs import alone, together
from mitune.pipelines.finetune.key import adapter_key
from mitune.pipelines.finetune.training import Training
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.workers import ranks_of
from mitune.training.finetuning import Finetuning, check_start

_LOG = "training_log.json"


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
    check_start(settings, adapter_in)
    selection = with_latents(finetuning_set, candidates)
    key = adapter_key(selection, model, adapter_in, settings)
    scratch = workspace.scratch
    folder = scratch / key
    if not workspace.copy_adapter(key, folder):
        log = _train(Training(selection, model, adapter_in, scratch, key, settings, resources))
        (folder / _LOG).write_text(json.dumps(log.to_dict("list")))  # exact, unlike to_json
    log = pd.DataFrame(json.loads((folder / _LOG).read_text()))
    return AdapterRef(str(folder), round=adapter_in.round + 1), log


def _train(training: Training) -> pd.DataFrame:
    """Its log, one row a step."""
    optimisation, group = training.settings.optimisation, training.settings.objective.group
    pool = ranks_of(training.resources, optimisation.batch_size // group, training.model)
    steps = together(training, pool) if pool else alone(training, training.resources.torch_device)
    bar = tqdm(steps, total=optimisation.steps, desc="finetune", unit="step")
    columns = ["index", "loss", "grad_norm", "learning_rate"]
    return pd.DataFrame([asdict(step) for step in bar], columns=columns)


def with_latents(finetuning_set: pd.DataFrame, candidates: Shards) -> pd.DataFrame:
    """Rows of the set together with their latents."""
    parts = []
    shape: list[int] = []
    for prompt_id, rows in finetuning_set.groupby("prompt_id", sort=False):
        shard = candidates[str(prompt_id)]
        shape = shard.attrs["latent_shape"]
        shard.attrs = {}
        parts.append(rows.merge(shard[["image_index", "latent"]], on="image_index"))
    selection = pd.concat(parts, ignore_index=True)
    selection.attrs = {"latent_shape": shape}
    return selection
