"""Train the miniature of CLIP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor

from mitune.miniature.caption import write
from mitune.miniature.description import sample_description
from mitune.miniature.layout import sample_scene
from mitune.miniature.render import render_all
from mitune.miniature.vocabulary import CATEGORIES
from mitune.pretraining import models
from mitune.pretraining.cycle import checkpoint_of
from mitune.pretraining.data import (
    step_rng,
    to_pixels,
    tokenize,
)
from mitune.pretraining.recipe import PretrainRecipe
from mitune.pretraining.tokenizer import build_tokenizer
from mitune.training.checkpoint import TrainingStep
from mitune.training.loop import fit


def train_clip(
    recipe: PretrainRecipe, folder: Path, accelerator: Accelerator
) -> Iterator[TrainingStep]:
    """Contrastive image-text model on fresh scenes with clean captions. Saves `folder/clip`."""
    torch.manual_seed(recipe.seed)
    tokenizer = build_tokenizer(folder / "tokenizer")
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
        {"clip": clip}, loss, recipe.clip, accelerator, checkpoint_of(recipe, "clip", folder)
    )
    clip.eval().save_pretrained(folder / "clip")
    tokenizer.save_pretrained(folder / "clip")
