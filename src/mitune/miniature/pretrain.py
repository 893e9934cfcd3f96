"""Train the miniature from scratch: autoencoder, CLIP, denoiser. Deterministic and resumable.

Every step draws its data from a generator seeded by (seed, stage, step). Captions are written and
corrupted anew each time an image is seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from diffusers import AutoencoderKL, DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.training_utils import compute_snr
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveInt
from safetensors.torch import load_model, save_model
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from mitune.miniature import models
from mitune.miniature.caption import CaptionNoise, corrupt, write
from mitune.miniature.detector import Detector, detection_loss, targets
from mitune.miniature.render import render_all
from mitune.miniature.scene import (
    CATEGORIES,
    Description,
    Scene,
    sample_crowd,
    sample_description,
    sample_scene,
)
from mitune.training.loop import Checkpoint, Loss, Optimisation, TrainingStep, fit

_CONTACT_CATEGORIES = ("3d_spatial", "non_spatial")


class PretrainRecipe(BaseModel):
    """Everything that decides the shipped weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    vae: Optimisation = Optimisation(
        steps=2000, batch_size=32, learning_rate=1e-3, schedule="cosine", warmup_steps=50
    )
    vae_refinement: Optimisation = Optimisation(
        steps=1200, batch_size=32, learning_rate=5e-4, schedule="cosine", warmup_steps=20
    )
    clip: Optimisation = Optimisation(
        steps=600, batch_size=128, learning_rate=1e-3, schedule="cosine", warmup_steps=100
    )
    judge: Optimisation = Optimisation(
        steps=900, batch_size=96, learning_rate=2e-3, schedule="cosine", warmup_steps=100
    )
    judge_refinement: Optimisation = Optimisation(
        steps=1300, batch_size=96, learning_rate=1.5e-3, schedule="cosine", warmup_steps=50
    )
    judge_contacts: Optimisation = Optimisation(
        steps=800, batch_size=96, learning_rate=1e-3, schedule="cosine", warmup_steps=20
    )
    denoiser: Optimisation = Optimisation(
        steps=10_000, batch_size=64, learning_rate=1e-3, schedule="cosine", warmup_steps=300
    )
    denoiser_refinement: Optimisation = Optimisation(
        steps=15_000, batch_size=64, learning_rate=8e-4, schedule="cosine", warmup_steps=100
    )
    flow: Optimisation = Optimisation(
        steps=11_000,
        batch_size=64,
        learning_rate=2e-3,
        muon_learning_rate=6e-3,
        schedule="cosine",
        warmup_steps=100,
    )
    vqa: Optimisation = Optimisation(
        steps=5000,
        batch_size=32,
        learning_rate=1e-3,
        muon_learning_rate=3e-3,
        schedule="cosine",
        warmup_steps=100,
    )
    compile_flow: bool = Field(default=False, exclude=True)  # speed only; needs a C++ compiler
    scenes: PositiveInt = 60_000
    judge_scenes: PositiveInt = 16_384
    empty_captions: float = Field(default=0.1, ge=0, le=1)
    min_snr_gamma: float = 5.0
    ema_decay: float = 0.999
    caption_noise: CaptionNoise = CaptionNoise()
    kl_weight: float = 1e-6
    card_prompts: PositiveInt = 16


def draw_scenes(count: int, seed: int) -> tuple[list[Description], list[Scene]]:
    """Random scenes, the categories in turn, with the description each was drawn from."""
    rng = np.random.default_rng(seed)
    descriptions = [sample_description(CATEGORIES[i % len(CATEGORIES)], rng) for i in range(count)]
    return descriptions, [sample_scene(d, rng) for d in descriptions]


def to_pixels(images: NDArray[np.uint8]) -> Tensor:
    """uint8 (N, H, W, 3) to float (N, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def step_rng(recipe: PretrainRecipe, stage: str, step: int) -> np.random.Generator:
    """The randomness of one step of a stage, whatever ran before it."""
    tag = int.from_bytes(hashlib.sha256(stage.encode()).digest()[:4], "big")
    return np.random.default_rng((recipe.seed, tag, step))


def torch_rng(rng: np.random.Generator) -> torch.Generator:
    """A torch generator seeded by the next draw of `rng`."""
    return torch.Generator().manual_seed(int(rng.integers(2**62)))


def _checkpoint(recipe: PretrainRecipe, stage: str, folder: Path) -> Checkpoint:
    key = hashlib.sha256(f"{stage}{recipe.model_dump_json()}".encode()).hexdigest()
    return Checkpoint(folder / f"{stage}.checkpoint.pt", key)


def cycle(
    recipe: PretrainRecipe,
    module: nn.Module,
    make_loss: Callable[[], Loss],
    stage: str,
    settings: Optimisation,
    folder: Path,
    accelerator: Accelerator,
    ema_decay: float | None = None,
) -> Iterator[TrainingStep]:
    """One cycle of the learning rate, kept in `folder/{stage}.safetensors`; loaded if it is."""
    finished = folder / f"{stage}.safetensors"
    if not finished.exists():
        checkpoint = _checkpoint(recipe, stage, folder)
        yield from fit({stage: module}, make_loss(), settings, accelerator, checkpoint, ema_decay)
        if accelerator.is_main_process:
            save_model(module, str(finished))
        accelerator.wait_for_everyone()
    load_model(module, finished)


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
    vae.register_to_config(scaling_factor=round(1 / float(_encode(vae, scenes).std()), 5))
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
def _encode(vae: AutoencoderKL, scenes: list[Scene], batch: int = 64) -> Tensor:
    """Posterior means, unscaled, shape (N, C, h, w)."""
    parts = []
    for start in range(0, len(scenes), batch):
        pixels = to_pixels(render_all(scenes[start : start + batch])).to(vae.device)
        parts.append(vae.encode(pixels).latent_dist.mean.cpu())
    return torch.cat(parts)


def train_judge(
    recipe: PretrainRecipe, folder: Path, accelerator: Accelerator
) -> Iterator[TrainingStep]:
    """The judge's detector: half on rendered scenes, half on scenes through the autoencoder.

    Three cosine cycles, with more and more things that overlap. Saves
    `folder/detector.safetensors`.
    """
    torch.manual_seed(recipe.seed)
    detector = Detector().to(accelerator.device)
    for stage, settings, contacts in (
        ("judge", recipe.judge, 0.0),
        ("judge_refinement", recipe.judge_refinement, 0.5),
        ("judge_contacts", recipe.judge_contacts, 0.7),
    ):
        loss = partial(_detection_loss, recipe, detector, stage, settings, contacts, folder)
        yield from cycle(recipe, detector, loss, stage, settings, folder, accelerator)
    if accelerator.is_main_process:
        detector.save(folder / "detector.safetensors")


def _detection_loss(
    recipe: PretrainRecipe,
    detector: Detector,
    stage: str,
    settings: Optimisation,
    contacts: float,
    folder: Path,
) -> Loss:
    device = next(detector.parameters()).device
    rng = step_rng(recipe, stage, -1 % 2**32)
    scenes = [any_scene(rng, contacts) for _ in range(recipe.judge_scenes)]
    clean = torch.from_numpy(render_all(scenes)).permute(0, 3, 1, 2)
    half = len(scenes) // 2
    rounded = round_trip(AutoencoderKL.from_pretrained(folder / "vae").eval(), clean[:half])
    pixels = torch.cat([rounded, clean[half:]])
    labels = [targets(scene) for scene in scenes]
    truth = torch.from_numpy(np.stack([t for t, _ in labels]))
    counts = torch.from_numpy(np.stack([c for _, c in labels]))

    def loss(step: int, rows: Tensor) -> Tensor:
        rng = step_rng(recipe, stage, step)
        picks = torch.from_numpy(rng.integers(len(scenes), size=settings.batch_size))[rows]
        noise = torch.randn((len(picks), *pixels.shape[1:]), generator=torch_rng(rng))
        batch = pixels[picks].float() / 127.5 - 1 + 0.05 * float(rng.random()) * noise
        maps = detector(batch.to(device, memory_format=torch.channels_last))
        return detection_loss(maps, truth[picks].to(device), counts[picks].to(device))

    return loss


def any_scene(rng: np.random.Generator, contacts: float) -> Scene:
    """A scene of the categories or a crowd; with probability `contacts`, things in contact."""
    if contacts and rng.random() < contacts:
        return sample_scene(sample_description(str(rng.choice(_CONTACT_CATEGORIES)), rng), rng)
    if rng.random() < 0.6:
        return sample_scene(sample_description(str(rng.choice(CATEGORIES)), rng), rng)
    return sample_crowd(rng)


@torch.inference_mode()
def round_trip(vae: AutoencoderKL, pixels: Tensor, batch: int = 64) -> Tensor:
    """uint8 (N, 3, H, W) through the autoencoder and back to uint8."""
    parts = []
    for part in pixels.split(batch):
        latents = vae.encode(part.float() / 127.5 - 1).latent_dist.mean
        parts.append(from_pixels(vae.decode(latents).sample))
    return torch.cat(parts)


def from_pixels(pixels: Tensor) -> Tensor:
    """Float in [-1, 1] to uint8, any shape."""
    return pixels.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).cpu()


def train_clip(
    recipe: PretrainRecipe, folder: Path, accelerator: Accelerator
) -> Iterator[TrainingStep]:
    """Contrastive image-text model on fresh scenes with clean captions. Saves `folder/clip`."""
    torch.manual_seed(recipe.seed)
    tokenizer = models.build_tokenizer(folder / "tokenizer")
    clip = models.build_clip(tokenizer).to(accelerator.device)

    def loss(step: int, rows: Tensor) -> Tensor:
        rng = step_rng(recipe, "clip", step)
        descriptions = [
            sample_description(str(rng.choice(CATEGORIES)), rng)
            for _ in range(recipe.clip.batch_size)
        ]
        captions = [write(d, rng) for d in descriptions]
        pixels = to_pixels(render_all([sample_scene(d, rng) for d in descriptions]))
        output = clip(
            input_ids=tokenize(tokenizer, captions).to(accelerator.device),
            pixel_values=pixels.to(accelerator.device),
        )
        target = torch.arange(len(captions), device=accelerator.device)
        by_text = F.cross_entropy(output.logits_per_text, target, reduction="none")
        by_image = F.cross_entropy(output.logits_per_image, target, reduction="none")
        return ((by_text + by_image) / 2)[rows.to(accelerator.device)]

    yield from fit(
        {"clip": clip}, loss, recipe.clip, accelerator, _checkpoint(recipe, "clip", folder)
    )
    clip.eval().save_pretrained(folder / "clip")
    tokenizer.save_pretrained(folder / "clip")


def tokenize(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """Token ids padded to the model's length, shape (N, L)."""
    return tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids


def careless_caption(
    recipe: PretrainRecipe, description: Description, rng: np.random.Generator
) -> str:
    """What a web page might say of the scene; often nothing at all."""
    if rng.random() < recipe.empty_captions:
        return ""
    return write(corrupt(description, recipe.caption_noise, rng), rng)


def scheduler() -> DDPMScheduler:
    """Stable Diffusion's training schedule. `clip_sample` off: latents are not bounded by 1."""
    return DDPMScheduler(
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
        vae = AutoencoderKL.from_pretrained(folder / "vae").eval()
        torch.save((_encode(vae, scenes) * vae.config.scaling_factor).half(), path)
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
    tokenizer = models.build_tokenizer(folder / "tokenizer")
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
        snr = compute_snr(noise_scheduler, times[rows])
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
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(folder / "vae"),
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
