"""InstructPix2Pix: a UNet of Stable Diffusion that sees the picture in four more channels.

Brooks et al. (2023), arXiv:2211.09800. It edits pictures and paints none, so it is no family of
`family_of`; `editing.open_editor` opens it.
"""

from __future__ import annotations

from typing import Any

from mitune.backbones.base import ModelError
from mitune.backbones.stable_diffusion import StableDiffusion, UNetDenoiser


class InstructPix2Pix(StableDiffusion):
    """Backbone around a `StableDiffusionInstructPix2PixPipeline`."""

    pipeline_type = "StableDiffusionInstructPix2PixPipeline"

    @property
    def denoiser(self) -> UNetDenoiser:
        """None that could do without a picture."""
        raise ModelError(f"{self.ref.path}: edits pictures and paints none; name another model")

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(C, h, w) of a picture, without the channels that show it one."""
        config: Any = self.network.config
        channels = int(self.pipeline.vae.config.latent_channels)
        return (channels, config.sample_size, config.sample_size)
