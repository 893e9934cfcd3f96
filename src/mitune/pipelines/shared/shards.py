"""Images as shards, made where they are missing and read back where they are whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pandas as pd
from tqdm import tqdm

from mitune.backbones import AdapterRef, Backbone, ModelRef
from mitune.candidates import Generation, Source, generate, shard_keys, todo_counts
from mitune.datasets.shards import Shards
from mitune.errors import UserError
from mitune.image_source import Transfer, transfer
from mitune.memory import halved
from mitune.pipelines.shared.models import opened
from mitune.pipelines.shared.resources import Resources


def make_shards(
    prompts: pd.DataFrame,
    source: Source,
    finished: Shards,
    settings: Generation,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame]]:
    """Shards of `source` that are not finished, with a bar; no model is opened if all are."""
    counts = todo_counts(finished, shard_keys(source, settings, prompts), settings)
    done = sum(count == 0 for count in counts.values())
    with tqdm(total=len(prompts), initial=done, desc=source.name, unit="prompt") as progress:
        if done == len(prompts):
            return
        with (
            opened(source.model, source.adapter, resources, settings.dtype) as backbone,
            _transfer(backbone, source.target, resources) as transferred,
        ):
            for prompt_id, shard in generated(
                backbone, source, prompts, settings, resources.batch_size, finished, transferred
            ):
                yield {prompt_id: shard}
                progress.update()


@contextmanager
def _transfer(
    backbone: Backbone, target: ModelRef | None, resources: Resources
) -> Iterator[Transfer | None]:
    if target is None:
        yield None
        return
    with opened(target, AdapterRef(None), resources) as other:
        yield transfer(backbone, other)


def generated(
    backbone: Backbone,
    source: Source,
    prompts: pd.DataFrame,
    settings: Generation,
    batch_size: int,
    finished: Shards | None = None,
    transferred: Transfer | None = None,
) -> Iterator[tuple[str, pd.DataFrame]]:
    """`generate`, with half the batch whenever memory runs out."""
    while len(prompts):
        try:
            for prompt_id, shard in generate(
                backbone, source, prompts, settings, batch_size, finished, transferred
            ):
                yield prompt_id, shard
                prompts = prompts[prompts["prompt_id"] != prompt_id]
            return
        except RuntimeError as error:
            batch_size = halved(batch_size, error)


def read_shards(
    shards: Shards, keys: Mapping[str, str], settings: Generation
) -> Iterator[pd.DataFrame]:
    """The first M rows of every prompt's shard.

    Raises
    ------
    UserError
        If a shard was made by other settings or code, or has fewer rows.
    """
    for prompt_id, key in keys.items():
        if shards.count(prompt_id, key) < settings.images_per_prompt:
            raise UserError(
                f"{prompt_id}: its images are missing, fewer than {settings.images_per_prompt}, or "
                "of other settings or code; give the --params that they were made with, or rerun "
                "the stage that makes them"
            )
        yield shards[prompt_id].head(settings.images_per_prompt)
