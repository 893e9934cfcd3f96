"""Parameters that several stages share."""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from mitune.backbones.base import pick_device
from mitune.composition import Composition
from mitune.metrics import MetricConfig


class Resources(BaseModel):
    """How fast, never what: results do not depend on these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str = "auto"
    dtype: str = Field(default="float32", pattern="^(float32|float16|bfloat16)$")
    batch_size: PositiveInt = 64
    checkpoint_seconds: PositiveFloat = 60.0

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


class Metrics(BaseModel):
    """Named metrics; the first one is the headline of the report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scorers: dict[str, MetricConfig]


class Compose(BaseModel):
    """One way to choose."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    selection: Composition
