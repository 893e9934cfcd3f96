"""Stable Diffusion 1.x and 2.x: AutoencoderKL, one CLIP text encoder, UNet on a DDPM grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mitune.backbones.pipeline import PipelineBackbone
from mitune.diffusion.denoiser import Condition, in_dtype_of
from mitune.diffusion.noise import DiscretePath, coefficients
from mitune.diffusion.prediction import Prediction, PredictionKind
from mitune.references import ModelRef


@dataclass(frozen=True, eq=False)
class UNetDenoiser:
    """A UNet and the grid it was trained on; `Condition` holds one tensor, `prompt` (B, L, D)."""

    unet: nn.Module
    path: DiscretePath
    kind: PredictionKind

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """One evaluation at `z_t` (B, C, h, w), `t` (B,)."""
        inputs = in_dtype_of(self.unet, z_t)
        raw = self.unet(inputs, t, encoder_hidden_states=condition.tensors["prompt"]).sample
        return Prediction(raw.to(z_t), self.kind, z_t, *coefficients(self.path, t, z_t))


class UNetBackbone(PipelineBackbone):
    """A UNet, eps- or v-predicting, on the grid of its pipeline's scheduler."""

    denoiser_type: ClassVar[type[UNetDenoiser]] = UNetDenoiser

    def __init__(self, pipeline: Any, ref: ModelRef, device: torch.device) -> None:
        super().__init__(pipeline, ref, device)
        self._path = DiscretePath(pipeline.scheduler.alphas_cumprod.double())

    @property
    def denoiser(self) -> UNetDenoiser:
        """The UNet as estimators and samplers see it."""
        kind = self.pipeline.scheduler.config.prediction_type
        return self.denoiser_type(self.pipeline.unet, self._path, kind)


class StableDiffusion(UNetBackbone):
    """Backbone around a `StableDiffusionPipeline`."""

    pipeline_type = "StableDiffusionPipeline"
    options = {"safety_checker": None}  # noqa: RUF012  (a ClassVar in the base)

    @torch.no_grad()
    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        """Text embeddings as the pipeline makes them, (B, L, D)."""
        embeddings, _ = self.pipeline.encode_prompt(
            list(prompts), self.device, 1, do_classifier_free_guidance=False
        )
        return Condition({"prompt": embeddings})
