"""What a stage may ask of a model, whatever its family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.errors import UserError

DType: TypeAlias = Literal["float32", "float16", "bfloat16"]


class ModelError(UserError):
    """A model, or a part of it, cannot be used as asked; the message names the file and the fix."""


@dataclass(frozen=True)
class ModelRef:
    """A text-to-image model by name: a local folder (or hub id), its revision, its content hash."""

    path: str
    digest: str
    revision: str | None = None
    max_sequence_length: int | None = None  # tokens of T5 (SD3); None: diffusers' default

    @property
    def from_hub(self) -> bool:
        """Whether the path is a hub id: it has a revision and is no folder here."""
        return self.revision is not None and not Path(self.path).is_dir()


@dataclass(frozen=True)
class AdapterRef:
    """A fine-tuned adapter, or none (`path is None`: the base model)."""

    path: str | None
    digest: str = "base"
    round: int = 0


class Backbone(Protocol):
    """Denoiser, image codec and text encoder of one model, on one device."""

    @property
    def denoiser(self) -> Denoiser: ...
    @property
    def network(self) -> nn.Module:
        """The trainable network inside the denoiser."""
        ...

    @property
    def network_name(self) -> str:
        """What the network is called in the pipeline: `unet` or `transformer`."""
        ...

    @property
    def pipeline(self) -> Any:
        """The diffusers pipeline that everything is a part of."""
        ...

    @property
    def device(self) -> torch.device: ...
    @property
    def latent_shape(self) -> tuple[int, int, int]: ...
    def encode_prompts(self, prompts: Sequence[str]) -> Condition: ...
    def keep_network(self) -> None:
        """Leave nothing but the network on the accelerator."""
        ...

    @property
    def image_size(self) -> int:
        """Side of a picture in pixels."""
        ...

    def decode(self, latents: Tensor) -> NDArray[np.uint8]: ...
    def encode(self, pictures: NDArray[np.uint8]) -> Tensor: ...


def pick_device(name: str) -> torch.device:
    """`auto` is the first accelerator if there is one, else the CPU.

    Raises ValueError for a device that torch does not know or this machine does not have.
    """
    if name != "auto":
        try:
            device = torch.device(name)
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ValueError(
                f"{name!r} cannot be used ({reason}); auto takes what is there"
            ) from None
        return device
    if torch.accelerator.is_available():
        return torch.device(torch.accelerator.current_accelerator() or "cpu")
    return torch.device("cpu")
