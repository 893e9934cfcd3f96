"""Stable Diffusion 1.x and 2.x: AutoencoderKL, one CLIP text encoder, UNet on a DDPM grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor, nn

from mitune.backbones.pipeline import PipelineBackbone
from mitune.denoiser import Condition
from mitune.noise import DiscretePath, coefficients
from mitune.prediction import Prediction, PredictionKind


@dataclass(frozen=True, eq=False)
class UNetDenoiser:
    """A UNet and the grid it was trained on; `Condition` holds one tensor, `prompt` (B, L, D)."""

    unet: nn.Module
    path: DiscretePath
    kind: PredictionKind

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """One evaluation at `z_t` (B, C, h, w), `t` (B,)."""
        raw = self.unet(z_t, t, encoder_hidden_states=condition.tensors["prompt"]).sample
        return Prediction(raw, self.kind, z_t, *coefficients(self.path, t, z_t))


class StableDiffusion(PipelineBackbone):
    """Backbone around a `StableDiffusionPipeline`, eps- or v-predicting."""

    pipeline_type = StableDiffusionPipeline
    options = {"safety_checker": None}  # noqa: RUF012  (a ClassVar in the base)

    def __init__(self, pipeline: StableDiffusionPipeline) -> None:
        super().__init__(pipeline)
        self._path = DiscretePath(pipeline.scheduler.alphas_cumprod.double())

    @property
    def denoiser(self) -> UNetDenoiser:
        """The UNet as estimators and samplers see it."""
        kind = self.pipeline.scheduler.config.prediction_type
        return UNetDenoiser(self.pipeline.unet, self._path, kind)

    @torch.no_grad()
    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        """Text embeddings as the pipeline makes them, (B, L, D)."""
        embeddings, _ = self.pipeline.encode_prompt(
            list(prompts), self.device, 1, do_classifier_free_guidance=False
        )
        return Condition({"prompt": embeddings})
