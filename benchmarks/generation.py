"""Generation with MI against diffusers, and against the released loop.

The network evaluations are the same; ratios say what the scores cost, what filling batches across
prompts saves where M is small, and what merging an adapter saves after the first round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import torch
from diffusers import DDPMScheduler, DiffusionPipeline

from benchmarks.ratios import Row, in_turn
from mitune.backbones import AdapterRef, Backbone, ModelRef, open_backbone
from mitune.candidates import Generation, Source, generate
from mitune.guidance import ClassifierFree
from mitune.training import adapters
from mitune.training.adapters import AdapterSettings

MODEL = ModelRef("data/06_models/miniature-sd", "shipped")
CPU = torch.device("cpu")
STEPS, BATCH, SCALE, REPEATS = 5, 64, 2.0, 3
PROMPTS = {4: 16, 16: 4, 50: 2}  # by M
COLOURS = ("blue", "green", "black", "cyan")


def rows() -> Iterator[Row]:
    """M of the miniature, of the papers and between; a round with an adapter."""
    pipeline, backbone = diffusers_pipeline(), open_backbone(MODEL, CPU)
    for images, prompts in PROMPTS.items():
        name = f"M = {images}, with the path score"
        ours = (name, mitune(backbone, images))
        count = (prompts * images, "images/s")
        yield in_turn("generation", ours, ("diffusers", plain(pipeline, images)), REPEATS, count)
        yield in_turn(
            "generation", ours, ("the released loop", released(pipeline, images)), REPEATS, count
        )
    tuned = open_backbone(MODEL, CPU)
    adapters.attach(tuned, AdapterSettings(), seed=0)
    merged = open_backbone(MODEL, CPU)
    adapters.attach(merged, AdapterSettings(), seed=0)
    adapters.fuse(merged)
    yield in_turn(
        "generation",
        ("M = 16, with a DoRA adapter", mitune(merged, 16)),
        ("the released loop", released(tuned.pipeline, 16)),
        REPEATS,
        (PROMPTS[16] * 16, "images/s"),
    )


def diffusers_pipeline() -> Any:
    """The miniature, with the ancestral sampler."""
    pipeline = DiffusionPipeline.from_pretrained(MODEL.path, torch_dtype=torch.float32)
    pipeline.scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def texts(images: int) -> list[str]:
    """As many prompts as there are at this M."""
    count = PROMPTS[images]
    return [f"a red circle and a {COLOURS[number % 4]} square" for number in range(count)]


def plain(pipeline: Any, images: int) -> Callable[[], object]:
    """A prompt at a time, no scores."""

    def run() -> None:
        for text in texts(images):
            pipeline(
                text,
                num_images_per_prompt=images,
                num_inference_steps=STEPS,
                guidance_scale=SCALE,
                output_type="latent",
            )

    return run


def released(pipeline: Any, images: int) -> Callable[[], object]:
    """As the authors' script: a prompt at a time, MI on the path, the best image decoded."""
    scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    weights = scheduler.betas / (1 - scheduler.alphas_cumprod) / 2

    @torch.no_grad()
    def run() -> None:
        for text in texts(images):
            conditional, unconditional = pipeline.encode_prompt(text, CPU, images, True)
            embeddings = torch.cat([unconditional, conditional])
            scheduler.set_timesteps(STEPS)
            latents = torch.randn(images, *_latent_shape(pipeline))
            terms = []
            for t in scheduler.timesteps:
                both = scheduler.scale_model_input(torch.cat([latents] * 2), t)
                eps = pipeline.unet(both, t, embeddings, return_dict=False)[0]
                eps_u, eps_c = eps.chunk(2)
                if t > 50:
                    square = (eps_u - eps_c).flatten(1).square().sum(1)
                    terms.append(weights[t] * square.cpu())
                guided = eps_u + SCALE * (eps_c - eps_u)
                latents = scheduler.step(guided, t, latents, return_dict=False)[0]
            best = torch.stack(terms).mean(0).argmax()
            pipeline.vae.decode(latents[[best]] / pipeline.vae.config.scaling_factor)

    return run


def _latent_shape(pipeline: Any) -> tuple[int, int, int]:
    config = pipeline.unet.config
    return config.in_channels, config.sample_size, config.sample_size


def mitune(backbone: Backbone, images: int) -> Callable[[], object]:
    """Batches across prompts, with the path score."""
    found = texts(images)
    prompts = pd.DataFrame(
        {"prompt_id": [str(i) for i in range(len(found))], "category": "color", "prompt": found}
    )
    settings = Generation(
        images_per_prompt=images, steps=STEPS, guidance=ClassifierFree(scale=SCALE)
    )
    source = Source(MODEL, AdapterRef(None), "benchmark")
    return lambda: list(generate(backbone, source, prompts, settings, BATCH))
