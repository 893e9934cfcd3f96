"""Images as a model samples them, with their scores: found in the sampling loop, or after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mitune.backbones import Backbone
from mitune.candidates.batch import Prompt
from mitune.candidates.settings import Generation
from mitune.candidates.source import Source, seed_of
from mitune.diffusion.denoiser import Condition
from mitune.diffusion.sampling import Step, build_scheduler, initial_noise, sample
from mitune.estimators import information_of_groups
from mitune.memory import halved
from mitune.seeds import image_seed


class Image(NamedTuple):
    """The `number`-th image of a prompt."""

    prompt: Prompt
    number: int


@dataclass(frozen=True, eq=False)
class Terms:
    """Increments (B, n) of a score in nats, and the log-SNR (B, n) each was taken at."""

    increments: Tensor
    log_snr: Tensor


@dataclass(frozen=True, eq=False)
class Sampled:
    """Latents (B, C, h, w) and the terms of their scores."""

    latents: Tensor
    scores: Mapping[str, Terms]


def merged(parts: Sequence[Sampled]) -> Sampled:
    """One batch after the other."""
    return Sampled(
        torch.cat([part.latents for part in parts]),
        {
            name: Terms(
                torch.cat([part.scores[name].increments for part in parts]),
                torch.cat([part.scores[name].log_snr for part in parts]),
            )
            for name in parts[0].scores
        },
    )


def rows_of(sampled: Sampled, rows: slice) -> Sampled:
    """Some images of a batch."""
    return Sampled(
        sampled.latents[rows],
        {
            name: Terms(terms.increments[rows], terms.log_snr[rows])
            for name, terms in sampled.scores.items()
        },
    )


def sample_images(
    backbone: Backbone,
    source: Source,
    settings: Generation,
    images: Sequence[Image],
    batch_size: int,
) -> list[Sampled]:
    """Images and their scores, at most `batch_size` at once; half as many if memory runs out."""
    while True:
        parts = np.array_split(np.arange(len(images)), ceil(len(images) / batch_size))
        try:
            return [
                _painted(backbone, source, settings, [images[i] for i in part]) for part in parts
            ]
        except RuntimeError as error:
            batch_size = halved(batch_size, error)


def _painted(
    backbone: Backbone, source: Source, settings: Generation, images: Sequence[Image]
) -> Sampled:
    """One batch: sampled, scored on the path, and scored by its draws."""
    generators = [
        torch.Generator().manual_seed(seed_of(source, settings, prompt.prompt_id, number))
        for prompt, number in images
    ]
    noise = initial_noise(backbone.latent_shape, generators).to(backbone.device)
    prompts = list(dict.fromkeys(image.prompt for image in images))
    owners = torch.tensor([prompts.index(image.prompt) for image in images])
    condition = backbone.encode_prompts([prompt.prompt for prompt in prompts])[owners]
    null = backbone.encode_prompts([""])
    texts = [image.prompt.prompt for image in images]
    guiding = settings.sampled_by.start(backbone, texts, condition, null, settings.steps)
    scheduler = build_scheduler(settings.sampler, backbone.pipeline.scheduler)
    steps = sample(guiding, scheduler, noise, generators)
    estimator, latents = settings.scoring.path, noise

    def followed() -> Iterator[Step]:
        nonlocal latents
        for step in steps:
            latents = step.z_next
            yield step

    scores: dict[str, Terms] = {}
    if estimator is None:
        for _ in followed():
            pass
    else:
        path = estimator.fold(backbone.denoiser.path, followed())
        scores["path"] = Terms(path.increments.cpu(), path.log_snr.expand(len(images), -1))
    drawn = _drawn_scores(backbone, settings, latents, condition, null, prompts, owners)
    return Sampled(latents, {**scores, **drawn})


def _drawn_scores(
    backbone: Backbone,
    settings: Generation,
    latents: torch.Tensor,
    condition: Condition,
    null: Condition,
    prompts: Sequence[Prompt],
    owners: torch.Tensor,
) -> dict[str, Terms]:
    """The scores that noise the finished images anew; a prompt's images share the draws."""
    drawn = settings.scoring.drawn
    if not drawn:
        return {}
    groups = information_of_groups(
        backbone.denoiser,
        latents,
        condition,
        null,
        list(drawn.values()),
        [
            torch.Generator().manual_seed(image_seed(settings.seed, "draws", prompt.prompt_id))
            for prompt in prompts
        ],
        owners,
    )
    # Images of a batch are in the order of their prompts, and so are the groups.
    return {
        name: Terms(
            torch.cat([group[place].increments for group in groups]).cpu(),
            torch.stack([group[place].log_snr for group in groups]).cpu()[owners],
        )
        for place, name in enumerate(drawn)
    }
