"""Backbones: the only rooms that know a model's family, one file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mitune.backbones.base import AdapterRef, Backbone, DType, ModelError, ModelRef

if TYPE_CHECKING:
    from mitune.backbones.pipeline import PipelineBackbone

__all__ = ["AdapterRef", "Backbone", "DType", "ModelError", "ModelRef", "open_backbone"]


def open_backbone(
    ref: ModelRef, device: torch.device, dtype: DType = "float32", offload: bool = False
) -> Backbone:
    """Load a model; its own `model_index.json` says which family it is of.

    `dtype` is that of network and text encoders. Latents, predictions and the autoencoder are
    float32 whatever it is: differences of predictions are what MI is made of. With
    `offload` only the part at work is on the accelerator.

    Raises
    ------
    ModelError
        If the family is not supported or the weights cannot be read.
    """
    from mitune.backbones.model_index import absent_parts, model_index
    from mitune.backbones.stable_diffusion import StableDiffusion
    from mitune.backbones.stable_diffusion_3 import StableDiffusion3
    from mitune.backbones.stable_diffusion_xl import StableDiffusionXL

    families: dict[str, type[PipelineBackbone]] = {
        "StableDiffusionPipeline": StableDiffusion,
        "StableDiffusionXLPipeline": StableDiffusionXL,
        "StableDiffusion3Pipeline": StableDiffusion3,
    }
    index = model_index(ref)
    name = index["_class_name"]
    if name not in families:
        raise ModelError(f"{ref.path}: {name} is not supported; families: {', '.join(families)}")
    return families[name].open(ref, absent_parts(index), device, dtype, offload)
