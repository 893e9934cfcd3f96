"""What a stage may ask of a model, whatever its family."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mitune.denoiser import Condition, Denoiser
from mitune.errors import UserError


class ModelError(UserError):
    """A model, or a part of it, cannot be used as asked; the message names the file and the fix."""


@dataclass(frozen=True)
class ModelRef:
    """A text-to-image model by name: a local folder (or hub id), its revision, its content hash."""

    path: str
    digest: str
    revision: str | None = None


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
    def decode(self, latents: Tensor) -> NDArray[np.uint8]: ...


def pipeline_class(ref: ModelRef) -> str:
    """Name of the diffusers pipeline a model folder declares.

    Raises
    ------
    ModelError
        If the folder or its `model_index.json` is missing or unreadable.
    """
    index = Path(ref.path) / "model_index.json"
    try:
        return str(json.loads(index.read_text())["_class_name"])
    except FileNotFoundError:
        raise ModelError(
            f"{index}: not found; point params `model` to a folder saved by diffusers, or restore "
            "the shipped one with `git checkout -- data/06_models`"
        ) from None
    except (ValueError, KeyError) as error:
        raise ModelError(f"{index}: not a diffusers model index ({error}); restore it") from None


def part_names(ref: ModelRef) -> tuple[str, ...]:
    """What a model folder is made of; nothing is known of a hub id."""
    return tuple(_index(ref))


def absent_parts(ref: ModelRef) -> dict[str, None]:
    """Parts that a model folder was saved without; diffusers must be told of them again."""
    return {name: None for name, value in _index(ref).items() if value == [None, None]}


def _index(ref: ModelRef) -> dict[str, Any]:
    index = Path(ref.path) / "model_index.json"
    return dict(json.loads(index.read_text())) if index.exists() else {}


def pick_device(name: str) -> torch.device:
    """`auto` is the first accelerator if there is one, else the CPU."""
    if name != "auto":
        return torch.device(name)
    if torch.accelerator.is_available():
        return torch.device(torch.accelerator.current_accelerator() or "cpu")
    return torch.device("cpu")
