"""Generate candidates shard by shard; gather their scores."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from mitune.backbones import AdapterRef, ModelRef
from mitune.candidates import Generation, Source, scores_in, shard_keys
from mitune.datasets.shards import Shards
from mitune.pipelines.generate.shards import make_shards, read_shards
from mitune.pipelines.resources import Resources


def source_of(model: ModelRef, adapter: AdapterRef) -> Source:
    """Images of round r are made with the adapter of round r - 1."""
    return Source(model, adapter, f"round_{adapter.round + 1}")


def generate_candidates(
    prompts: pd.DataFrame,
    model: ModelRef,
    adapter: AdapterRef,
    finished: Shards,
    settings: Generation,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame]]:
    """Yield one shard per prompt that is not finished yet."""
    yield from make_shards(prompts, source_of(model, adapter), finished, settings, resources)


def collect_scores(
    candidates: Shards,
    prompts: pd.DataFrame,
    model: ModelRef,
    adapter: AdapterRef,
    settings: Generation,
) -> pd.DataFrame:
    """Scores of M candidates of each of these prompts, and of no others."""
    keys = shard_keys(source_of(model, adapter), settings, prompts)
    tables = [scores_in(shard) for shard in read_shards(candidates, keys, settings)]
    return pd.concat(tables, ignore_index=True)
