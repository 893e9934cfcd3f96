"""Arms that are means of others: their effective weights, exactly (MI-TUNE, E.3)."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict

import torch

from mitune.backbones import AdapterRef, ModelRef, open_backbone
from mitune.datasets.workspace import Workspace
from mitune.errors import UserError
from mitune.lineage import source_code
from mitune.pipelines.studies.arm import StudyArm
from mitune.pipelines.studies.parameters import Studies, adapter_name
from mitune.training import adapters, merging


def merge_arms(
    trained: Mapping[str, AdapterRef], model: ModelRef, workspace: Workspace, studies: Studies
) -> dict[str, AdapterRef]:
    """The mean of every arm that is one, for each repeat; `adapter.json` has what it cost.

    Raises
    ------
    UserError
        Naming the arm that cannot be merged, and why.
    """
    wanted = {
        adapter_name(name, repeat): (arm, repeat)
        for name, arm in studies.trained.items()
        if arm.mean
        for repeat in range(studies.repeats)
    }
    found: dict[str, AdapterRef] = {}
    missing: dict[str, tuple[StudyArm, int]] = {}
    for name, (arm, repeat) in wanted.items():
        folder = workspace.scratch / f"{name}.merged"
        shutil.rmtree(folder, ignore_errors=True)
        if workspace.copy_adapter(_key(arm, _parts(arm, repeat, trained), model), folder):
            found[name] = AdapterRef(str(folder))
        else:
            missing[name] = (arm, repeat)
    return found | dict(_merged(missing, trained, model, workspace))


def _merged(
    wanted: Mapping[str, tuple[StudyArm, int]],
    trained: Mapping[str, AdapterRef],
    model: ModelRef,
    workspace: Workspace,
) -> Iterator[tuple[str, AdapterRef]]:
    if not wanted:
        return
    # Sums in float64 are the whole work, and not every accelerator has float64.
    backbone = open_backbone(model, torch.device("cpu"))
    for name, (arm, repeat) in wanted.items():
        parts = _parts(arm, repeat, trained)
        layers = [merging.read(backbone, part) for part in parts]
        try:
            cost = merging.merge(backbone, layers, list(arm.shares.values()), arm.rank)
        except UserError as error:
            raise UserError(f"{name}: {error}") from None
        folder = workspace.scratch / f"{name}.merged"
        facts = {
            "round": max(part.round for part in parts),
            "model": asdict(model),
            "key": _key(arm, parts, model),
            "merged": [asdict(part) for part in parts],
            "weights": arm.shares,
            **asdict(cost),
        }
        adapters.save(backbone, folder, facts)
        backbone.pipeline.unload_lora_weights()
        yield name, AdapterRef(str(folder), round=facts["round"])


def _parts(arm: StudyArm, repeat: int, trained: Mapping[str, AdapterRef]) -> list[AdapterRef]:
    return [trained[adapter_name(part, repeat)] for part in arm.shares]


def _key(arm: StudyArm, parts: list[AdapterRef], model: ModelRef) -> str:
    facts = {
        "model": model.digest,
        "parts": [part.digest for part in parts],
        "weights": list(arm.shares.values()),
        "rank": arm.rank,
        "code": source_code.computing((), merging.__name__),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
