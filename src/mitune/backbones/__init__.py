"""Backbones: the only rooms that know a model's family, one file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mitune.backbones.base import AdapterRef, Backbone, ModelError, ModelRef, pipeline_class

if TYPE_CHECKING:
    from mitune.backbones.pipeline import PipelineBackbone

__all__ = ["AdapterRef", "Backbone", "ModelError", "ModelRef", "open_backbone"]


def open_backbone(
    ref: ModelRef, device: torch.device, dtype: torch.dtype = torch.float32
) -> Backbone:
    """Load a model; its own `model_index.json` says which family it is of.

    Raises
    ------
    ModelError
        If the family is not supported or the weights cannot be read.
    """
    from mitune.backbones.stable_diffusion import StableDiffusion
    from mitune.backbones.stable_diffusion_3 import StableDiffusion3
    from mitune.backbones.stable_diffusion_xl import StableDiffusionXL

    families: dict[str, type[PipelineBackbone]] = {
        "StableDiffusionPipeline": StableDiffusion,
        "StableDiffusionXLPipeline": StableDiffusionXL,
        "StableDiffusion3Pipeline": StableDiffusion3,
    }
    name = pipeline_class(ref)
    if name not in families:
        raise ModelError(f"{ref.path}: {name} is not supported; families: {', '.join(families)}")
    return families[name].open(ref, device, dtype)
