"""Train the miniature of Stable Diffusion: UNet and text encoder, on careless captions.

arXiv:2303.09556.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from accelerate import Accelerator
from torch import Tensor

from mitune import libraries
from mitune.miniature.description import Description
from mitune.pretraining import models
from mitune.pretraining.autoencoder import encoded
from mitune.pretraining.cycle import cycle
from mitune.pretraining.data import (
    careless_caption,
    draw_scenes,
    step_rng,
    tokenize,
    torch_rng,
)
from mitune.pretraining.recipe import PretrainRecipe
from mitune.pretraining.tokenizer import build_tokenizer
from mitune.training.checkpoint import TrainingStep
from mitune.training.optimisation import Optimisation
from mitune.training.task import Loss

if TYPE_CHECKING:
    from diffusers import DDPMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer


def scheduler() -> DDPMScheduler:
    """Stable Diffusion's training schedule. `clip_sample` off: latents are not bounded by 1."""
    return libraries.diffusers.DDPMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,
        prediction_type="epsilon",
    )


def load_latents(recipe: PretrainRecipe, folder: Path) -> tuple[list[Description], Tensor]:
    """Scenes as scaled latents, encoded once and kept in `folder/latents.pt`."""
    descriptions, scenes = draw_scenes(recipe.scenes, recipe.seed + 2)
    path = folder / "latents.pt"
    if not path.exists():
        vae = libraries.diffusers.AutoencoderKL.from_pretrained(folder / "vae").eval()
        torch.save((encoded(vae, scenes) * vae.config.scaling_factor).half(), path)
    latents: Tensor = torch.load(path, weights_only=True)
    return descriptions, latents


def train_denoiser(
    recipe: PretrainRecipe, folder: Path, accelerator: Accelerator
) -> Iterator[TrainingStep]:
    """UNet and text encoder on noisy captions, min-SNR weighted, two cosine cycles.

    Saves `folder/pipeline`.

    Weighting: Hang et al. 2023, eq. 5 for eps.
    """
    torch.manual_seed(recipe.seed)
    tokenizer = build_tokenizer(folder / "tokenizer")
    text_encoder = models.build_text_encoder(tokenizer).to(accelerator.device)
    unet = models.build_unet().to(accelerator.device, memory_format=torch.channels_last)
    noise_scheduler = scheduler()
    descriptions, latents = load_latents(recipe, folder)
    modules = torch.nn.ModuleDict({"unet": unet, "text_encoder": text_encoder})
    for stage, settings in (
        ("denoiser", recipe.denoiser),
        ("denoiser_refinement", recipe.denoiser_refinement),
    ):
        loss = partial(
            _denoising_loss,
            recipe,
            unet,
            text_encoder,
            tokenizer,
            noise_scheduler,
            descriptions,
            latents,
            stage,
            settings,
        )
        yield from cycle(
            recipe, modules, loss, stage, settings, folder, accelerator, recipe.ema_decay
        )
    if accelerator.is_main_process:
        save_pipeline(folder, unet, text_encoder, tokenizer)


def _denoising_loss(
    recipe: PretrainRecipe,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    noise_scheduler: DDPMScheduler,
    descriptions: list[Description],
    latents: Tensor,
    stage: str,
    settings: Optimisation,
) -> Loss:
    device = unet.device

    def loss(step: int, rows: Tensor) -> Tensor:
        rng = step_rng(recipe, stage, step)
        generator = torch_rng(rng)
        size = settings.batch_size
        picks = rng.integers(len(descriptions), size=size)
        captions = [careless_caption(recipe, descriptions[int(i)], rng) for i in picks]
        clean = latents[torch.from_numpy(picks)].float()
        noise = torch.randn(clean.shape, generator=generator)
        times = torch.randint(0, 1000, (size,), generator=generator)
        noisy = noise_scheduler.add_noise(clean, noise, times)[rows].to(device)
        context = text_encoder(
            tokenize(tokenizer, [captions[i] for i in rows.tolist()]).to(device)
        ).last_hidden_state
        predicted = unet(noisy, times[rows].to(device), context).sample
        snr = libraries.diffusers.training_utils.compute_snr(noise_scheduler, times[rows])
        weight = (snr.clamp(max=recipe.min_snr_gamma) / snr).to(device)
        return weight * (predicted - noise[rows].to(device)).square().flatten(1).mean(1)

    return loss


def save_pipeline(
    folder: Path,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
) -> None:
    """Write an ordinary Stable Diffusion folder in half precision."""
    pipeline = libraries.diffusers.StableDiffusionPipeline(
        vae=libraries.diffusers.AutoencoderKL.from_pretrained(folder / "vae"),
        text_encoder=text_encoder.eval(),
        tokenizer=tokenizer,
        unet=unet.eval(),
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.vae.register_to_config(_name_or_path="")  # no path of this machine in what is shipped
    pipeline.to(torch.float16).save_pretrained(folder / "pipeline")
    pipeline.to(torch.float32)
