"""What backbones around a diffusers pipeline have in common: loading, parts, decoding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import Self

from mitune import libraries
from mitune.backbones.base import ModelError
from mitune.backbones.model_index import absent_parts
from mitune.backbones.parts import TOKENIZERS, read_parts
from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.errors import UserError
from mitune.references import DType, ModelRef
from mitune.weights import check_words

_PIXELS_AT_ONCE = 2**21  # two images of 1024 x 1024: about 8 GB in float32


class PipelineBackbone(ABC):
    """Backbone around a diffusers pipeline; families say what conditions and predictions are.

    In half precision the network's last layers stay in float32, which the pipeline's own loop does
    not expect: there use its parts, not the pipeline.
    """

    pipeline_type: ClassVar[str]  # of diffusers
    network_name: ClassVar[str] = "unet"
    needed: ClassVar[tuple[str, ...]] = ("text_encoder",)
    last_layers: ClassVar[tuple[str, ...]] = ("conv_norm_out", "conv_out")
    frozen: ClassVar[tuple[str, ...]] = ("vae", "text_encoder", "text_encoder_2", "text_encoder_3")
    options: ClassVar[dict[str, Any]] = {}

    def __init__(self, pipeline: Any, ref: ModelRef, device: torch.device) -> None:
        self.pipeline = pipeline
        self.ref = ref
        self.device = device
        for name in (self.network_name, *self.frozen):
            part = getattr(pipeline, name, None)
            if part is not None:
                part.requires_grad_(False).eval()
        for name in self.last_layers:
            # Rounded predictions would be the least digits of their difference, which MI is.
            getattr(self.network, name).float().register_forward_pre_hook(_in_its_dtype)

    @classmethod
    def open(
        cls,
        ref: ModelRef,
        index: Mapping[str, Any],
        device: torch.device,
        dtype: DType,
        offload: bool,
    ) -> Self:
        """Load the weights of `ref`, of the parts that its `index` names.

        Raises
        ------
        ModelError
            Naming the model if a weight file is missing or truncated.
        WeightsError
            Naming the file and a tensor that is missing, left over or not finite.
        """
        try:
            pipeline = getattr(libraries.diffusers, cls.pipeline_type).from_pretrained(
                ref.path,
                revision=ref.revision,
                **{**read_parts(ref, index, dtype), **absent_parts(index), **cls.options},
            )
        except UserError:
            raise
        except Exception as error:  # safetensors, OSError, KeyError: whatever broke, say where
            raise ModelError(
                f"{ref.path}: the weights cannot be read ({type(error).__name__}: "
                f"{str(error).splitlines()[0]}); restore or download the folder again"
            ) from error
        for name in TOKENIZERS:
            tokenizer = getattr(pipeline, name, None)
            if tokenizer is not None:
                check_words(tokenizer, f"{ref.path}/{name}", "restore it")
        pipeline.set_progress_bar_config(disable=True)
        if offload and device.type != "cpu":
            pipeline.enable_model_cpu_offload(device=device)
        else:
            pipeline.to(device)
        return cls(pipeline, ref, device)

    @property
    @abstractmethod
    def denoiser(self) -> Denoiser:
        """The network as estimators and samplers see it."""

    @abstractmethod
    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        """Embeddings as the pipeline makes them; the empty prompt is its unconditional branch."""

    def token_offsets(self, prompt: str) -> list[tuple[int, int]]:
        """(start, end) in characters of each token, as CLIP's tokenizer cuts and truncates."""
        encoded = self.pipeline.tokenizer(
            prompt,
            truncation=True,
            max_length=self.pipeline.tokenizer.model_max_length,
            return_offsets_mapping=True,
        )
        return [(start, end) for start, end in encoded["offset_mapping"]]

    @property
    def network(self) -> nn.Module:
        """The trainable network."""
        network: nn.Module = getattr(self.pipeline, self.network_name)
        return network

    def keep_network(self) -> None:
        """Leave nothing but the network on the accelerator; prompts cannot be encoded after it."""
        self.pipeline.remove_all_hooks()
        for name in self.frozen:
            part = getattr(self.pipeline, name, None)
            if part is not None:
                part.to("cpu")
        self.network.to(self.device)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(C, h, w)."""
        config: Any = self.network.config
        return (config.in_channels, config.sample_size, config.sample_size)

    @property
    def image_size(self) -> int:
        """Side of a picture in pixels."""
        return self.latent_shape[-1] * int(self.pipeline.vae_scale_factor)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Pictures (N, H, W, 3) uint8 of scaled latents (N, C, h, w)."""
        vae = self.pipeline.vae
        pixels_each = latents[0, 0].numel() * self.pipeline.vae_scale_factor**2
        shift = vae.config.get("shift_factor") or 0.0
        pictures = []
        for part in latents.split(_at_once(pixels_each)):
            scaled = part.to(self.device, vae.dtype) / vae.config.scaling_factor + shift
            pixels = vae.decode(scaled).sample.float().add(1).mul(127.5).round().clamp(0, 255)
            pictures.append(pixels.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(pictures)

    @torch.no_grad()
    def encode(self, pictures: NDArray[np.uint8]) -> Tensor:
        """Scaled latents (N, C, h, w) float32 of pictures (N, H, W, 3): the posterior's mode."""
        vae = self.pipeline.vae
        shift = vae.config.get("shift_factor") or 0.0
        pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2)
        latents = []
        for part in pixels.split(_at_once(pixels[0, 0].numel())):
            scaled = part.to(self.device, vae.dtype) / 127.5 - 1
            mode = vae.encode(scaled).latent_dist.mode()
            latents.append(((mode - shift) * vae.config.scaling_factor).float())
        return torch.cat(latents)


def _in_its_dtype(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    dtype = next(layer.parameters()).dtype
    return tuple(tensor.to(dtype) for tensor in inputs)


def _at_once(pixels_each: int) -> int:
    return max(1, _PIXELS_AT_ONCE // pixels_each)
