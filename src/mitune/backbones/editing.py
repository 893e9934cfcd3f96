"""Edit pictures by a text: image-to-image, or InstructPix2Pix where a checkpoint is one.

Both are diffusers' own pipelines, on the parts of an open backbone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from mitune import libraries
from mitune.backbones import open_backbone
from mitune.backbones.base import Backbone, ModelError
from mitune.backbones.instruct_pix2pix import InstructPix2Pix
from mitune.backbones.model_index import model_index
from mitune.diffusion.sampling import SamplerName, build_scheduler
from mitune.references import ModelRef

_CHANNELS = 8  # of a UNet that sees the picture beside the latent


class Editing(BaseModel):
    """How pictures are edited. Defaults: DSPO, D.3 (guidance 7.5, strength 0.75), 50 steps.

    `strength`: how far a picture is noised before it is painted again, of all the way; of `steps`
    that share is taken (SDEdit, Meng et al. 2022, arXiv:2108.01073). `image_guidance_scale` is
    InstructPix2Pix's alone, which starts from noise and has no strength.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: PositiveInt = 50
    sampler: SamplerName = "ddim"
    guidance_scale: float = Field(default=7.5, ge=0)
    strength: float = Field(default=0.75, gt=0, le=1)
    image_guidance_scale: float = Field(default=1.5, ge=1)


def open_editor(ref: ModelRef, device: torch.device) -> Backbone:
    """Open a model of any family, or InstructPix2Pix, in float32.

    Raises
    ------
    ModelError
        As `open_backbone`, or if a checkpoint of InstructPix2Pix has not 8 input channels.
    """
    if not follows_instructions(ref):
        return open_backbone(ref, device)
    editor = InstructPix2Pix.open(ref, model_index(ref), device, "float32", False)
    channels = int(editor.pipeline.unet.config.in_channels)
    if channels != _CHANNELS:
        raise ModelError(
            f"{ref.path}/unet: has {channels} input channels, InstructPix2Pix needs {_CHANNELS}; "
            "restore it, or save it as the pipeline that it is"
        )
    return editor


def follows_instructions(ref: ModelRef) -> bool:
    """Whether it is InstructPix2Pix, from its configuration alone."""
    return bool(model_index(ref)["_class_name"] == InstructPix2Pix.pipeline_type)


def edited(
    backbone: Backbone,
    pictures: NDArray[np.uint8],
    texts: Sequence[str],
    generators: Sequence[torch.Generator],
    settings: Editing,
) -> NDArray[np.uint8]:
    """Pictures (N, H, W, 3) uint8 RGB edited by their texts, the i-th with generator i alone.

    A text is an instruction for InstructPix2Pix, else what the edited picture should show.
    """
    given: dict[str, Any] = {
        "prompt": list(texts),
        "image": [Image.fromarray(picture) for picture in pictures],
        "num_inference_steps": settings.steps,
        "guidance_scale": settings.guidance_scale,
        "generator": list(generators),
        "output_type": "np",
    }
    if isinstance(backbone, InstructPix2Pix):
        pipeline: Any = backbone.pipeline
        given["image_guidance_scale"] = settings.image_guidance_scale
    else:
        pipeline = libraries.diffusers.AutoPipelineForImage2Image.from_pipe(backbone.pipeline)
        given["strength"] = settings.strength
    pipeline.scheduler = build_scheduler(settings.sampler, backbone.pipeline.scheduler)
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline(**given).images
    return np.rint(np.asarray(images) * 255).astype(np.uint8)
