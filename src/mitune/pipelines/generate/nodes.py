"""Generate candidates shard by shard; gather their scores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from mitune.backbones import AdapterRef, ModelRef
from mitune.candidates import Generation, Source, scores_in
from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.shards import make_shards, read_shards


def candidates_source(
    model: ModelRef, adapter: AdapterRef, image_source: ModelRef | None
) -> Source:
    """Images of round r are made with the adapter of round r - 1, or by another model without."""
    name = f"round_{adapter.round + 1}"
    if image_source is None:
        return Source(model, adapter, name)
    return Source(image_source, AdapterRef(None), name, target=model)


def generate_candidates(
    prompts: pd.DataFrame,
    model: ModelRef,
    image_source: ModelRef | None,
    adapter: AdapterRef,
    workspace: Workspace,
    settings: Generation,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame | Path]]:
    """Shards of all prompts, made where they are not finished yet."""
    source = candidates_source(model, adapter, image_source)
    yield from make_shards(prompts, source, workspace, settings, resources)


def collect_scores(
    candidates: Shards,
    prompts: pd.DataFrame,
    model: ModelRef,
    image_source: ModelRef | None,
    adapter: AdapterRef,
    settings: Generation,
) -> pd.DataFrame:
    """Scores of M candidates of each of these prompts, and of no others."""
    source = candidates_source(model, adapter, image_source)
    shards = read_shards(candidates, prompts, settings, source)
    tables = [scores_in(shard) for shard in shards]
    return pd.concat(tables, ignore_index=True)
