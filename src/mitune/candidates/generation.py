"""M images per prompt with their scores, found in the sampling loop itself.

Images of several prompts share a batch, so the accelerator is full whatever M is. An image depends
on its own seed alone: not on the batch size, the order, or on where a run was interrupted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import pandas as pd
import torch

from mitune.backbones import Backbone
from mitune.candidates.settings import Generation
from mitune.candidates.source import Finished, Source, seed_of, shard_keys, todo_counts
from mitune.candidates.table import Sampled, appended, as_table, merged, rows_of
from mitune.diffusion.denoiser import Condition
from mitune.diffusion.sampling import Step, build_scheduler, initial_noise, sample
from mitune.estimators import Information, information
from mitune.image_source import Transfer
from mitune.seeds import image_seed


@torch.no_grad()
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

    Columns: prompt_id, image_index, seed, latent (float16 bytes), one score column per estimator
    in nats, and its increments. `attrs`: key, latent_shape, log_snr of the increments.
    `backbone` must already carry the adapter of `source`. What is finished of a prompt is kept
    and only the rest is made. `transferred` turns latents into those that are kept.
    """
    keys = shard_keys(source, settings, prompts)
    counts = todo_counts(finished, keys, settings)
    todo = prompts[[counts[i] > 0 for i in prompts["prompt_id"]]]
    if todo.empty:
        return
    last = settings.images_per_prompt
    missing = [counts[i] for i in todo["prompt_id"]]
    items = [(row, index) for row, n in enumerate(missing) for index in range(last - n, last)]
    ends = list(accumulate(missing))
    texts = backbone.encode_prompts([""])
    pending: list[Sampled] = []
    done = 0
    for start in range(0, len(items), batch_size):
        batch = items[start : start + batch_size]
        pending.append(_sample_batch(backbone, source, settings, todo, batch, texts))
        ready = bisect_right(ends, start + len(batch))
        whole = merged(pending)
        offset = 0
        for row in range(done, ready):
            part = rows_of(whole, slice(offset, offset + missing[row]))
            offset += missing[row]
            prompt = todo.iloc[row]
            scored = _score_draws(backbone, settings, prompt, part, texts, batch_size)
            if transferred:
                scored = Sampled(transferred(scored.latents), scored.scores)
            table = as_table(source, settings, prompt, scored, keys, last - missing[row])
            if finished is not None and missing[row] < last:
                table = appended(finished[prompt["prompt_id"]], table)
            yield prompt["prompt_id"], table
        if ready > done:
            pending = [rows_of(whole, slice(offset, None))]
            done = ready


def _sample_batch(
    backbone: Backbone,
    source: Source,
    settings: Generation,
    prompts: pd.DataFrame,
    batch: Sequence[tuple[int, int]],
    null: Condition,
) -> Sampled:
    generators = [
        torch.Generator().manual_seed(
            seed_of(source, settings, prompts.iloc[row]["prompt_id"], index)
        )
        for row, index in batch
    ]
    noise = initial_noise(backbone.latent_shape, generators).to(backbone.device)
    rows = sorted({row for row, _ in batch})
    encoded = backbone.encode_prompts([prompts.iloc[row]["prompt"] for row in rows])
    condition = encoded[torch.tensor([rows.index(row) for row, _ in batch])]
    prompt_of_image = [prompts.iloc[row]["prompt"] for row, _ in batch]
    guiding = settings.guidance.start(backbone, prompt_of_image, condition, null, settings.steps)
    scheduler = build_scheduler(settings.sampler, backbone.pipeline.scheduler)
    steps = sample(guiding, scheduler, noise, generators)
    estimator, latents = settings.scoring.path, noise

    def followed() -> Iterator[Step]:
        nonlocal latents
        for step in steps:
            latents = step.z_next
            yield step

    if estimator is None:
        for _ in followed():
            pass
        return Sampled(latents, {})
    scored = estimator.fold(backbone.denoiser.path, followed())
    return Sampled(latents, {"path": Information(scored.increments.cpu(), scored.log_snr)})


def _score_draws(
    backbone: Backbone,
    settings: Generation,
    prompt: Any,
    sampled: Sampled,
    null: Condition,
    batch_size: int,
) -> Sampled:
    """Add the scores that noise the finished images anew; a prompt's images share the draws."""
    drawn = settings.scoring.drawn
    if not drawn:
        return sampled
    condition = backbone.encode_prompts([prompt["prompt"]])
    parts = []
    for latents in sampled.latents.split(batch_size):
        generator = torch.Generator().manual_seed(
            image_seed(settings.seed, "draws", prompt["prompt_id"])
        )
        parts.append(
            information(
                backbone.denoiser,
                latents,
                condition.expand(len(latents)),
                null,
                list(drawn.values()),
                generator,
            )
        )
    scores = {
        name: Information(
            torch.cat([part[i].increments.cpu() for part in parts]), parts[0][i].log_snr.cpu()
        )
        for i, name in enumerate(drawn)
    }
    return Sampled(sampled.latents, {**sampled.scores, **scores})
