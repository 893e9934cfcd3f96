"""Merge adapters, and say what it cost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch

from mitune.backbones import AdapterRef, ModelRef, open_backbone
from mitune.datasets.workspace import Workspace
from mitune.errors import UserError
from mitune.pipelines.merge.parameters import Merge
from mitune.training import adapters, merging
from mitune.training.adapter_weights import FACTS


def merge(
    model: ModelRef, workspace: Workspace, settings: Merge
) -> tuple[AdapterRef, dict[str, AdapterRef], pd.DataFrame]:
    """The mean; the means of the sweep by the weight of the first; what each cost."""
    parts = settings.load()
    _check_same_model(parts, model)
    # Sums in float64 are the whole work, and not every accelerator has float64.
    backbone = open_backbone(model, torch.device("cpu"))
    layers = [merging.read(backbone, part) for part in parts]
    mixtures = {"mean": settings.weights} | {f"{w:g}": (w, 1 - w) for w in settings.sweep}
    saved, costs = {}, []
    for name, weights in mixtures.items():
        cost = asdict(merging.merge(backbone, layers, weights, settings.rank))
        folder = workspace.scratch / "merge" / name
        shutil.rmtree(folder, ignore_errors=True)
        round_ = max(part.round for part in parts)
        merged = [asdict(part) | {"weight": w} for part, w in zip(parts, weights, strict=True)]
        facts = {"round": round_, "model": asdict(model), "merged": merged, **cost}
        adapters.save(backbone, folder, facts)
        backbone.pipeline.unload_lora_weights()
        saved[name] = AdapterRef(str(folder), round=round_)
        costs.append({"mixture": name, **_by_name(settings, weights), **cost})
    return saved.pop("mean"), saved, pd.DataFrame(costs)


def _by_name(settings: Merge, weights: Sequence[float]) -> dict[str, float]:
    names = [f"weight of {part.adapter}" for part in settings.adapters]
    return dict(zip(names, weights, strict=True))


def _check_same_model(parts: Sequence[AdapterRef], model: ModelRef) -> None:
    """Raises UserError, naming an adapter of another model."""
    for part in parts:
        if part.path is None:
            continue
        facts = json.loads((Path(part.path) / FACTS).read_text())
        if facts["model"]["digest"] != model.digest:
            raise UserError(
                f"{part.path}: an adapter of {facts['model']['path']}, not of {model.path}; merge "
                "adapters of one model, or name theirs by --params=model=..."
            )
