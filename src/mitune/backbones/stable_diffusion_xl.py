"""Stable Diffusion XL (Podell et al. 2023): two text encoders, sizes as conditions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mitune.backbones.stable_diffusion import UNetBackbone, UNetDenoiser
from mitune.diffusion.denoiser import Condition, in_dtype_of
from mitune.diffusion.noise import coefficients
from mitune.diffusion.prediction import Prediction


class SizedUNetDenoiser(UNetDenoiser):
    """`Condition`: `prompt` (B, L, D), `pooled` (B, P), `time_ids` (B, 6)."""

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """One evaluation at `z_t` (B, C, h, w), `t` (B,)."""
        given = condition.tensors
        raw = self.unet(
            in_dtype_of(self.unet, z_t),
            t,
            encoder_hidden_states=given["prompt"],
            added_cond_kwargs={"text_embeds": given["pooled"], "time_ids": given["time_ids"]},
        ).sample
        return Prediction(raw.to(z_t), self.kind, z_t, *coefficients(self.path, t, z_t))


class StableDiffusionXL(UNetBackbone):
    """Backbone around a `StableDiffusionXLPipeline`, without refiner; full-size, uncropped images.

    The unconditional branch is all zeros where the checkpoint says so
    (`force_zeros_for_empty_prompt`), as in the pipeline itself.
    """

    pipeline_type = "StableDiffusionXLPipeline"
    denoiser_type = SizedUNetDenoiser
    needed = ("text_encoder", "text_encoder_2")

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
