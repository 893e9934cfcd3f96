"""Generate candidates shard by shard; gather their scores."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from tqdm import tqdm

from mitune.backbones import AdapterRef, ModelRef
from mitune.candidates import Generation, Source, generate, scores_in, shard_keys
from mitune.datasets.shards import Shards
from mitune.errors import UserError
from mitune.pipelines.models import opened
from mitune.pipelines.parameters import Resources


def source_of(model: ModelRef, adapter: AdapterRef) -> Source:
    """Images of round r are made with the adapter of round r - 1."""
    return Source(model, adapter, f"round_{adapter.round + 1}")


def generate_candidates(
    prompts: pd.DataFrame,
    model: ModelRef,
    adapter: AdapterRef,
    finished: dict[str, str],
    settings: Generation,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame]]:
    """Yield one shard per prompt that is not finished yet."""
    source = source_of(model, adapter)
    keys = shard_keys(source, settings, prompts)
    done = sum(finished.get(prompt_id) == key for prompt_id, key in keys.items())
    with tqdm(total=len(prompts), initial=done, desc=source.name, unit="prompt") as progress:
        if done == len(prompts):
            return
        with opened(model, adapter, resources) as backbone:
            for prompt_id, shard in generate(
                backbone, source, prompts, settings, resources.batch_size, finished
            ):
                yield {prompt_id: shard}
                progress.update()


def collect_scores(
    candidates: Shards,
    prompts: pd.DataFrame,
    model: ModelRef,
    adapter: AdapterRef,
    settings: Generation,
) -> pd.DataFrame:
    """Scores of all candidates of these prompts, and of no others."""
    source = source_of(model, adapter)
    tables = []
    for prompt_id, key in shard_keys(source, settings, prompts).items():
        table = candidates[prompt_id]
        if table.attrs["key"] != key:
            raise UserError(
                f"candidates of {table['prompt'][0]!r} are of other settings; rerun generate"
            )
        tables.append(scores_in(table))
    return pd.concat(tables, ignore_index=True)
