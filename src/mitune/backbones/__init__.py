"""Backbones: the only rooms that know a model's family, one file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mitune.backbones.base import Backbone, ModelError
from mitune.references import AdapterRef, DType, ModelRef

if TYPE_CHECKING:
    from mitune.backbones.pipeline import PipelineBackbone

__all__ = [
    "AdapterRef",
    "Backbone",
    "DType",
    "ModelError",
    "ModelRef",
    "family_of",
    "open_backbone",
]


def open_backbone(
    ref: ModelRef, device: torch.device, dtype: DType = "float32", offload: bool = False
) -> Backbone:
    """Load a model; its own `model_index.json` says which family it is of.

    `dtype` is that of text encoders and network, but for its last layers. Latents, predictions and
    the autoencoder are float32 whatever it is: differences of predictions are what MI is made of.
    With `offload` only the part at work is on the accelerator.

    Raises
    ------
    ModelError
        As `family_of`, or if the weights cannot be read.
    """
    from mitune.backbones.model_index import model_index

    return family_of(ref).open(ref, model_index(ref), device, dtype, offload)


def family_of(ref: ModelRef) -> type[PipelineBackbone]:
    """The family of a model, from its configuration alone: no weights are read.

    Raises
    ------
    ModelError
        If the family is not supported, a part that it needs is absent, or guidance was distilled
        into the network.
    """
    from mitune.backbones.model_index import absent_parts, check_two_branches, model_index
    from mitune.backbones.stable_diffusion import StableDiffusion
    from mitune.backbones.stable_diffusion_3 import StableDiffusion3
    from mitune.backbones.stable_diffusion_xl import StableDiffusionXL

    families: dict[str, type[PipelineBackbone]] = {
        "StableDiffusionPipeline": StableDiffusion,
        "StableDiffusionXLPipeline": StableDiffusionXL,
        "StableDiffusion3Pipeline": StableDiffusion3,
    }
    index = model_index(ref)
    check_two_branches(ref, index)
    name = index["_class_name"]
    if name not in families:
        raise ModelError(f"{ref.path}: {name} is not supported; families: {', '.join(families)}")
    family = families[name]
    for part in family.needed:
        if part in absent_parts(index):
            raise ModelError(
                f"{ref.path}: saved without {part}; of the text encoders only T5 (text_encoder_3) "
                "may be absent: save the pipeline with it"
            )
    return family
