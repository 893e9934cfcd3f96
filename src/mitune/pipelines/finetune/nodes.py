"""Train an adapter on the chosen candidates."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from accelerate import Accelerator
from tqdm import tqdm

from mitune.backbones import AdapterRef, ModelRef, open_backbone
from mitune.datasets.shards import Shards
from mitune.pipelines.shared.resources import Resources
from mitune.training.checkpoint import Checkpoint
from mitune.training.finetuning import Finetuning, finetune, save


def train(
    finetuning_set: pd.DataFrame,
    candidates: Shards,
    model: ModelRef,
    adapter_in: AdapterRef,
    scratch: Path,
    settings: Finetuning,
    resources: Resources,
) -> tuple[AdapterRef, pd.DataFrame]:
    """The adapter of this round, and its training log."""
    selection = with_latents(finetuning_set, candidates)
    round_ = adapter_in.round + 1
    key = _key(selection, model, adapter_in, settings)
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
    folder = scratch / key
    facts = {"round": round_, "model": asdict(model), "set": key, "previous": asdict(adapter_in)}
    save(backbone, folder, settings, facts)
    checkpoint.path.unlink(missing_ok=True)
    return AdapterRef(str(folder), round=round_), log


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


def _key(
    selection: pd.DataFrame, model: ModelRef, adapter: AdapterRef, settings: Finetuning
) -> str:
    whole = hashlib.sha256()
    for latent, prompt in zip(selection["latent"], selection["prompt"], strict=True):
        whole.update(latent)
        whole.update(prompt.encode())
    whole.update(f"{model.digest}{adapter.digest}{settings.model_dump_json()}".encode())
    return whole.hexdigest()[:16]
