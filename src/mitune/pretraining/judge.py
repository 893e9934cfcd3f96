"""Train the judge's eyes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from mitune import libraries
from mitune.miniature.detector import Detector, detection_loss, targets
from mitune.miniature.render import render_all
from mitune.pretraining.autoencoder import round_trip
from mitune.pretraining.cycle import cycle
from mitune.pretraining.data import (
    any_scene,
    step_rng,
    torch_rng,
)
from mitune.pretraining.recipe import PretrainRecipe
from mitune.training.checkpoint import TrainingStep
from mitune.training.optimisation import Optimisation
from mitune.training.task import Loss


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
    rounded = round_trip(
        libraries.diffusers.AutoencoderKL.from_pretrained(folder / "vae").eval(), clean[:half]
    )
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
