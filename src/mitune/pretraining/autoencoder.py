"""Train the miniature's autoencoder."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from accelerate import Accelerator
from torch import Tensor

from mitune.miniature.description import sample_description
from mitune.miniature.layout import sample_scene
from mitune.miniature.render import render_all
from mitune.miniature.scene import Scene
from mitune.miniature.vocabulary import CATEGORIES
from mitune.pretraining import models
from mitune.pretraining.cycle import cycle
from mitune.pretraining.data import (
    draw_scenes,
    from_pixels,
    step_rng,
    to_pixels,
    torch_rng,
)
from mitune.pretraining.recipe import PretrainRecipe
from mitune.training.checkpoint import TrainingStep
from mitune.training.optimisation import Optimisation
from mitune.training.task import Loss

if TYPE_CHECKING:
    from diffusers import AutoencoderKL


def train_vae(
    recipe: PretrainRecipe, folder: Path, accelerator: Accelerator
) -> Iterator[TrainingStep]:
    """Autoencoder on fresh scenes: L1 + MSE + a little KL, two cosine cycles. Saves `folder/vae`.

    The latent scale is measured once, on 2 048 scenes, and written into the config.
    """
    torch.manual_seed(recipe.seed)
    vae = models.build_vae().to(accelerator.device, memory_format=torch.channels_last)
    for stage, settings in (("vae", recipe.vae), ("vae_refinement", recipe.vae_refinement)):
        loss = partial(_reconstruction_loss, recipe, vae, stage, settings)
        yield from cycle(recipe, vae, loss, stage, settings, folder, accelerator)
    vae.eval()
    _, scenes = draw_scenes(2048, recipe.seed + 1)
    vae.register_to_config(scaling_factor=round(1 / float(encoded(vae, scenes).std()), 5))
    vae.save_pretrained(folder / "vae")


def _reconstruction_loss(
    recipe: PretrainRecipe, vae: AutoencoderKL, stage: str, settings: Optimisation
) -> Loss:
    def loss(step: int, rows: Tensor) -> Tensor:
        rng = step_rng(recipe, stage, step)
        descriptions = [
            sample_description(str(rng.choice(CATEGORIES)), rng) for _ in range(settings.batch_size)
        ]
        pixels = to_pixels(render_all([sample_scene(d, rng) for d in descriptions]))
        pixels = pixels[rows].to(vae.device, memory_format=torch.channels_last)
        posterior = vae.encode(pixels).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=torch_rng(rng))
        latents = posterior.mean + posterior.std * noise[: len(rows)].to(vae.device)
        error = vae.decode(latents).sample - pixels
        return (
            error.abs().flatten(1).mean(1)
            + error.square().flatten(1).mean(1)
            + recipe.kl_weight * posterior.kl()
        )

    return loss


@torch.inference_mode()
def encoded(vae: AutoencoderKL, scenes: list[Scene], batch: int = 64) -> Tensor:
    """Posterior means, unscaled, shape (N, C, h, w)."""
    parts = []
    for start in range(0, len(scenes), batch):
        pixels = to_pixels(render_all(scenes[start : start + batch])).to(vae.device)
        parts.append(vae.encode(pixels).latent_dist.mean.cpu())
    return torch.cat(parts)


@torch.inference_mode()
def round_trip(vae: AutoencoderKL, pixels: Tensor, batch: int = 64) -> Tensor:
    """uint8 (N, 3, H, W) through the autoencoder and back to uint8."""
    parts = []
    for part in pixels.split(batch):
        latents = vae.encode(part.float() / 127.5 - 1).latent_dist.mean
        parts.append(from_pixels(vae.decode(latents).sample))
    return torch.cat(parts)
