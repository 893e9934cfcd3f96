"""Edit pictures shard by shard: apart from measuring, so that a new metric edits nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from mitune.backbones import AdapterRef, Backbone, ModelRef
from mitune.backbones.editing import edited, follows_instructions, open_editor
from mitune.datasets.workspace import Workspace
from mitune.example_sets.edits import Edit
from mitune.example_sets.index import digest
from mitune.example_sets.pictures import squared
from mitune.example_sets.restyled import png
from mitune.lineage import source_code
from mitune.pipelines.edit.parameters import Edits
from mitune.pipelines.shared.resources import Resources
from mitune.seeds import image_seed
from mitune.training import adapters


def edits_of(settings: Edits, prompts: pd.DataFrame) -> Iterator[Edit]:
    """Those that are asked for."""
    yield from islice(settings.source.read(prompts), settings.most)


def edit_pictures(
    settings: Edits,
    prompts: pd.DataFrame,
    edits: pd.DataFrame,
    model: ModelRef,
    adapter: AdapterRef,
    workspace: Workspace,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame | Path]]:
    """Edited pictures of every edit: files of those that are finished, then tables of the others.

    Columns: prompt_id (the edit), category, prompt (its caption), image_index, seed, png.
    """
    facts = _facts(settings, model, adapter)
    pictures = zip(edits["prompt_id"], edits["picture"], strict=True)
    keys = {str(name): _key(facts, picture) for name, picture in pictures}
    finished = workspace.shards(keys)
    if len(finished):
        yield dict(finished.files)
    missing = [edit for edit in edits_of(settings, prompts) if edit.name not in finished]
    if not missing:
        return
    backbone = open_editor(model, resources.torch_device)
    adapters.load(backbone, adapter)
    adapters.fuse(backbone)
    at_once = max(1, resources.batch_size // settings.images_per_edit)
    with tqdm(total=len(keys), initial=len(finished), desc="edit", unit="edit") as progress:
        for start in range(0, len(missing), at_once):
            part = missing[start : start + at_once]
            for name, table in _edited(settings, backbone, follows_instructions(model), part):
                table.attrs = {"key": keys[name], "made_by": facts}
                yield {name: table}
                progress.update()


def _edited(
    settings: Edits, backbone: Backbone, instructed: bool, part: Sequence[Edit]
) -> Iterator[tuple[str, pd.DataFrame]]:
    count = settings.images_per_edit
    every = [(edit, number) for edit in part for number in range(count)]
    seeds = [image_seed(settings.seed, "edit", edit.name, number) for edit, number in every]
    pictures = np.stack([squared(edit.picture, backbone.image_size) for edit, _ in every])
    texts = [edit.instruction if instructed else edit.caption for edit, _ in every]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    painted = edited(backbone, pictures, texts, generators, settings.editing)
    for place, edit in enumerate(part):
        rows = slice(place * count, (place + 1) * count)
        columns: dict[str, Any] = {
            "prompt_id": edit.name,
            "category": edit.category,
            "prompt": edit.caption,
            "image_index": range(count),
            "seed": seeds[rows],
            "png": [png(picture) for picture in painted[rows]],
        }
        yield edit.name, pd.DataFrame(columns)


def _facts(settings: Edits, model: ModelRef, adapter: AdapterRef) -> dict[str, Any]:
    tuned = [adapters.__name__] if adapter.path else []
    counting = {"editing", "images_per_edit", "seed"}
    return {
        "model": model.digest,
        "adapter": adapter.digest,
        "settings": settings.model_dump(mode="json", include=counting),
        "code": source_code.computing(None, edited.__module__, squared.__module__, *tuned),
    }


def _key(facts: dict[str, Any], picture: str) -> str:
    whole = json.dumps({**facts, "picture": picture}, sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def content_of(edit: Edit) -> str:
    """Names the picture and both texts of an edit."""
    return digest(edit.picture.content + f"\x1f{edit.instruction}\x1f{edit.caption}".encode())
