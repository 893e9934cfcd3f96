"""Checkpoints of BLIP-VQA: the original (480 pixels) as a transformers model, and converted ones.

The converted weights on the hub are for 384 pixels: their position table was interpolated when
they were converted, so only the original gives the published numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mitune import libraries
from mitune.metrics.blip_names import blip_name
from mitune.metrics.remedy import remedy
from mitune.weights import fill

if TYPE_CHECKING:
    from transformers import BlipConfig, BlipForQuestionAnswering

ORIGINAL_SIZE, HUB_SIZE = 480, 384
_VOCABULARY = 30524  # BERT's and two marks
_EPS = 1e-6


def official_config() -> BlipConfig:
    """ViT-B/16 at 480 pixels with BERT-base twice; the norms of the ViT as in the original."""
    vision = {"image_size": ORIGINAL_SIZE, "layer_norm_eps": _EPS}
    return libraries.transformers.BlipConfig(
        text_config={"encoder_hidden_size": 768}, vision_config=vision
    )


def converted_config(path: Path, revision: str | None) -> BlipConfig:
    """Of a folder or hub id. Raises whatever transformers does if it cannot be read.

    Those of Salesforce's networks, known by their vocabulary, say 1e-5 of the norms of the ViT,
    the default of transformers; their weights are the original's and want 1e-6.
    """
    config = libraries.transformers.BlipConfig.from_pretrained(path, revision=revision)
    if config.text_config.vocab_size == _VOCABULARY:
        config.vision_config.layer_norm_eps = _EPS
    return config


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under transformers' names."""
    kept = {name: t for name, t in state.items() if not name.endswith("position_ids")}
    return {blip_name(name): tensor for name, tensor in kept.items()}


def load_original(path: Path, config: BlipConfig | None = None) -> BlipForQuestionAnswering:
    """Read `model_base_vqa_capfilt_large.pth`. Raises whatever torch does if it is not one."""
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)["model"]
    model = libraries.transformers.BlipForQuestionAnswering(config or official_config())
    fill(model, renamed(state), path, remedy(path))
    return model
