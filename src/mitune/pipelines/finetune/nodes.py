"""Train an adapter on the chosen candidates, unless it has been trained already."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from accelerate import Accelerator
from tqdm import tqdm

from mitune.backbones import AdapterRef, ModelRef, open_backbone
from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.pipelines.finetune.key import adapter_key
from mitune.pipelines.shared.resources import Resources
from mitune.training.checkpoint import Checkpoint
from mitune.training.finetuning import Finetuning, check_start, finetune, save

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
        log = _train(selection, model, adapter_in, scratch, key, settings, resources)
        (folder / _LOG).write_text(json.dumps(log.to_dict("list")))  # exact, unlike to_json
    log = pd.DataFrame(json.loads((folder / _LOG).read_text()))
    return AdapterRef(str(folder), round=adapter_in.round + 1), log


def _train(
    selection: pd.DataFrame,
    model: ModelRef,
    adapter_in: AdapterRef,
    scratch: Path,
    key: str,
    settings: Finetuning,
    resources: Resources,
) -> pd.DataFrame:
    checkpoint = Checkpoint(scratch / f"{key}.pt", key, resources.checkpoint_seconds)
    backbone = open_backbone(model, resources.torch_device, settings.dtype, resources.offload)
    if resources.gradient_checkpointing:
        backbone.network.enable_gradient_checkpointing()  # type: ignore[operator]
    if resources.compile:
        backbone.network.compile()
    accelerator = Accelerator(cpu=resources.torch_device.type == "cpu")
    steps = finetune(backbone, selection, settings, adapter_in, accelerator, checkpoint)
    total = settings.optimisation.steps
    log = pd.DataFrame(
        [asdict(step) for step in tqdm(steps, total=total, desc="finetune", unit="step")],
        columns=["index", "loss", "grad_norm", "learning_rate"],
    )
    facts = {
        "round": adapter_in.round + 1,
        "model": asdict(model),
        "key": key,
        "previous": asdict(adapter_in),
    }
    save(backbone, scratch / key, settings, facts)
    checkpoint.path.unlink(missing_ok=True)
    return log


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
