"""Where and how fast a stage runs: shared by all of them."""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from mitune.backbones.base import pick_device


class Resources(BaseModel):
    """Where and how fast. Excluded from dumps, and so from every key, is what cannot matter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str = Field(default="auto", exclude=True)
    dtype: str = Field(default="float32", pattern="^(float32|float16|bfloat16)$")
    batch_size: PositiveInt = Field(default=64, exclude=True)
    checkpoint_seconds: PositiveFloat = Field(default=60.0, exclude=True)

    @property
    def torch_device(self) -> torch.device:
        """`auto` resolved."""
        return pick_device(self.device)

    @property
    def torch_dtype(self) -> torch.dtype:
        """The named dtype."""
        return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[
            self.dtype
        ]
