"""What a stage may ask of a model, whatever its family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.errors import UserError


class ModelError(UserError):
    """A model, or a part of it, cannot be used as asked; the message names the file and the fix."""


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
    def token_offsets(self, prompt: str) -> list[tuple[int, int]]:
        """Where in `prompt` each token that CLIP reads stands, (start, end) in characters.

        One for every position of the text's embedding up to the end token; those of the start and
        the end token are empty.
        """
        ...

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
