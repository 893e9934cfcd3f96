"""Scenes, captions and pixels that all parts of the miniature learn from.

Every step draws its data from a generator seeded by (seed, stage, step).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mitune.miniature.caption import corrupt, write
from mitune.miniature.description import Description, sample_description
from mitune.miniature.layout import sample_crowd, sample_scene
from mitune.miniature.scene import Scene
from mitune.miniature.vocabulary import CATEGORIES
from mitune.pretraining.recipe import PretrainRecipe

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

_CONTACT_CATEGORIES = ("3d_spatial", "non_spatial")


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


def any_scene(rng: np.random.Generator, contacts: float) -> Scene:
    """A scene of the categories or a crowd; with probability `contacts`, things in contact."""
    if contacts and rng.random() < contacts:
        return sample_scene(sample_description(str(rng.choice(_CONTACT_CATEGORIES)), rng), rng)
    if rng.random() < 0.6:
        return sample_scene(sample_description(str(rng.choice(CATEGORIES)), rng), rng)
    return sample_crowd(rng)


def from_pixels(pixels: Tensor) -> Tensor:
    """Float in [-1, 1] to uint8, any shape."""
    return pixels.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).cpu()


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
