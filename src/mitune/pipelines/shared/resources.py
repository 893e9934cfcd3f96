"""Where and how fast a stage runs: shared by all of them."""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, field_validator

from mitune.backbones.base import pick_device


class Resources(BaseModel):
    """Where and how fast. Excluded from dumps, and so from every key: it cannot matter.

    `batch_size` is halved when memory runs out. `compile`: torch.compile the network; minutes
    before the first image. `gradient_checkpointing`: fine-tune in less memory and more time.
    `offload`: keep on the accelerator only the part that is at work.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str = Field(default="auto", exclude=True)
    batch_size: PositiveInt = Field(default=64, exclude=True)
    compile: bool = Field(default=False, exclude=True)
    gradient_checkpointing: bool = Field(default=False, exclude=True)
    offload: bool = Field(default=False, exclude=True)
    checkpoint_seconds: PositiveFloat = Field(default=60.0, exclude=True)

    @field_validator("device")
    @classmethod
    def _is_there(cls, device: str) -> str:
        pick_device(device)
        return device

    @property
    def torch_device(self) -> torch.device:
        """`auto` resolved."""
        return pick_device(self.device)
