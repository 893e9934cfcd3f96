"""M images per prompt with their scores, found in the sampling loop itself.

Images of several prompts share a batch, in sampling and in scoring, so the accelerator is full
whatever M is. An image depends on its own seed alone, its draws on its prompt's: the composition
of a batch changes their last digits at most.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import torch

from mitune.backbones import Backbone
from mitune.candidates.batch import Batch, batches, counts
from mitune.candidates.sampled import Image, Sampled, merged, rows_of, sample_images
from mitune.candidates.settings import Generation
from mitune.candidates.source import Finished, Source, shard_keys
from mitune.candidates.table import appended, as_table
from mitune.errors import UserError
from mitune.image_source import Transfer


def generate(
    backbone: Backbone,
    source: Source,
    prompts: pd.DataFrame,
    settings: Generation,
    batch_size: int,
    finished: Finished | None = None,
    transferred: Transfer | None = None,
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield (prompt_id, candidates) for every prompt that `finished` has not M candidates of.

    One batch after the other in this process; see `make_batch`. What is finished of a prompt is
    kept, and only the rest is made.
    """
    keys = shard_keys(source, settings, prompts)
    finished_counts = counts(finished, keys) if finished is not None else dict.fromkeys(keys, 0)
    for batch in batches(prompts, settings, batch_size, finished_counts):
        if batch.first == settings.images_per_prompt:
            continue
        for prompt_id, table in make_batch(
            backbone, source, batch, settings, batch_size, transferred
        ):
            if finished_counts[prompt_id] < settings.images_per_prompt:
                yield prompt_id, grown(finished, prompt_id, table, finished_counts[prompt_id])


def grown(
    finished: Finished | None, prompt_id: str, table: pd.DataFrame, kept: int
) -> pd.DataFrame:
    """The first `kept` finished candidates of a prompt, and those of `table` that follow."""
    if finished is None or not kept:
        return table
    attrs = table.attrs
    new = table[table["image_index"] >= kept].reset_index(drop=True)
    new.attrs = attrs
    return appended(finished[prompt_id].head(kept), new)


@torch.no_grad()
def make_batch(
    backbone: Backbone,
    source: Source,
    batch: Batch,
    settings: Generation,
    batch_size: int,
    transferred: Transfer | None = None,
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield (prompt_id, candidates) for every prompt of a job.

    Columns: prompt_id, category, prompt, image_index, seed, latent (float16 bytes), one score
    column per estimator in nats, and its increments. `attrs`: key, latent_shape, log_snr of the
    increments, made_by. `backbone` must already carry the adapter of `source`. Never more than
    `batch_size` images at once, and half as many whenever memory runs out. `transferred` turns
    latents into those that are kept.

    Raises
    ------
    UserError
        Naming the prompts whose images or scores are not finite, when all others are yielded.
    """
    try:
        tables = dict(_tables(backbone, source, batch, settings, batch_size, transferred))
    except UserError as error:
        if len(batch.prompts) == 1:
            raise UserError(f"{batch}: {error} (finished prompts are kept)") from None
        # One of them is at fault: each by itself, so that it fails alone.
        reasons = []
        for alone in batch.split():
            try:
                yield from make_batch(backbone, source, alone, settings, batch_size, transferred)
            except UserError as reason:
                reasons.append(str(reason))
        if reasons:
            raise UserError("; ".join(reasons)) from None
        return
    yield from tables.items()


def _tables(
    backbone: Backbone,
    source: Source,
    batch: Batch,
    settings: Generation,
    batch_size: int,
    transferred: Transfer | None,
) -> Iterator[tuple[str, pd.DataFrame]]:
    last = settings.images_per_prompt
    images = [Image(p, number) for p in batch.prompts for number in range(batch.first, last)]
    sampled = sample_images(backbone, source, settings, images, batch_size)
    if transferred:
        sampled = [Sampled(transferred(part.latents), part.scores) for part in sampled]
    merged_samples = merged(sampled)
    each = last - batch.first
    for place, prompt in enumerate(batch.prompts):
        part = rows_of(merged_samples, slice(place * each, (place + 1) * each))
        yield prompt.prompt_id, as_table(source, settings, prompt, part, batch.first)
