"""Stable Diffusion 1.x and 2.x: AutoencoderKL, one CLIP text encoder, UNet on a DDPM grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from numpy.typing import NDArray
from torch import Tensor, nn

from mitune.backbones.base import ModelError, ModelRef
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


class StableDiffusion:
    """Backbone around a `StableDiffusionPipeline`."""

    def __init__(self, pipeline: StableDiffusionPipeline) -> None:
        self.pipeline = pipeline
        for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
            part.requires_grad_(False).eval()
        config = pipeline.scheduler.config
        self._path = DiscretePath(pipeline.scheduler.alphas_cumprod.double())
        self._kind = config.prediction_type

    @classmethod
    def open(cls, ref: ModelRef, device: torch.device, dtype: torch.dtype) -> StableDiffusion:
        """Load the weights of `ref`.

        Raises
        ------
        ModelError
            Naming the model if a weight file is missing or truncated.
        """
        try:
            pipeline = StableDiffusionPipeline.from_pretrained(
                ref.path, revision=ref.revision, torch_dtype=dtype, safety_checker=None
            )
        except Exception as error:  # safetensors, OSError, KeyError: whatever broke, say where
            raise ModelError(
                f"{ref.path}: the weights cannot be read ({type(error).__name__}: "
                f"{str(error).splitlines()[0]}); restore or download the folder again"
            ) from error
        pipeline.set_progress_bar_config(disable=True)
        return cls(pipeline.to(device))

    @property
    def denoiser(self) -> UNetDenoiser:
        """The UNet as estimators and samplers see it."""
        return UNetDenoiser(self.pipeline.unet, self._path, self._kind)

    @property
    def network(self) -> nn.Module:
        """The UNet."""
        unet: nn.Module = self.pipeline.unet
        return unet

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.pipeline.unet.device

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(C, h, w)."""
        config = self.pipeline.unet.config
        size = config.sample_size
        return (config.in_channels, size, size)

    @torch.no_grad()
    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        """Text embeddings as the pipeline makes them, (B, L, D)."""
        embeddings, _ = self.pipeline.encode_prompt(
            list(prompts), self.device, 1, do_classifier_free_guidance=False
        )
        return Condition({"prompt": embeddings})

    @torch.no_grad()
    def decode(self, latents: Tensor, batch_size: int = 64) -> NDArray[np.uint8]:
        """Pictures (N, H, W, 3) uint8 of scaled latents (N, C, h, w)."""
        vae = self.pipeline.vae
        pictures = []
        for part in latents.split(batch_size):
            scaled = part.to(self.device, vae.dtype) / vae.config.scaling_factor
            pixels = vae.decode(scaled).sample.float().add(1).mul(127.5).round().clamp(0, 255)
            pictures.append(pixels.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(pictures)
