"""Stable Diffusion XL (Podell et al. 2023): two text encoders, sizes as conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import StableDiffusionXLPipeline
from torch import Tensor, nn

from mitune.backbones.pipeline import PipelineBackbone
from mitune.denoiser import Condition
from mitune.noise import DiscretePath, coefficients
from mitune.prediction import Prediction, PredictionKind


@dataclass(frozen=True, eq=False)
class SizedUNetDenoiser:
    """`Condition`: `prompt` (B, L, D), `pooled` (B, P), `time_ids` (B, 6)."""

    unet: nn.Module
    path: DiscretePath
    kind: PredictionKind

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """One evaluation at `z_t` (B, C, h, w), `t` (B,)."""
        given = condition.tensors
        raw = self.unet(
            z_t,
            t,
            encoder_hidden_states=given["prompt"],
            added_cond_kwargs={"text_embeds": given["pooled"], "time_ids": given["time_ids"]},
        ).sample
        return Prediction(raw, self.kind, z_t, *coefficients(self.path, t, z_t))


class StableDiffusionXL(PipelineBackbone):
    """Backbone around a `StableDiffusionXLPipeline`, without refiner; full-size, uncropped images.

    The unconditional branch is all zeros where the checkpoint says so
    (`force_zeros_for_empty_prompt`), as in the pipeline itself.
    """

    pipeline_type = StableDiffusionXLPipeline

    def __init__(self, pipeline: StableDiffusionXLPipeline) -> None:
        super().__init__(pipeline)
        self._path = DiscretePath(pipeline.scheduler.alphas_cumprod.double())

    @property
    def denoiser(self) -> SizedUNetDenoiser:
        """The UNet as estimators and samplers see it."""
        kind = self.pipeline.scheduler.config.prediction_type
        return SizedUNetDenoiser(self.pipeline.unet, self._path, kind)

    @torch.no_grad()
    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        """Embeddings of both encoders, the pooled one of the second, and the sizes."""
        embeddings, _, pooled, _ = self.pipeline.encode_prompt(
            list(prompts), device=self.device, do_classifier_free_guidance=False
        )
        if self.pipeline.config.force_zeros_for_empty_prompt:
            empty = torch.tensor([not p for p in prompts], device=embeddings.device)
            embeddings = embeddings.masked_fill(empty[:, None, None], 0)
            pooled = pooled.masked_fill(empty[:, None], 0)
        return Condition(
            {"prompt": embeddings, "pooled": pooled, "time_ids": self._time_ids(pooled)}
        )

    def _time_ids(self, pooled: Tensor) -> Tensor:
        """Original size, crop and target size, (B, 6)."""
        side = self.latent_shape[1] * self.pipeline.vae_scale_factor
        ids = torch.tensor([side, side, 0, 0, side, side], dtype=pooled.dtype)
        return ids.to(pooled.device).expand(len(pooled), -1)
