"""Parameters that several stages share."""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from mitune.backbones.base import pick_device
from mitune.candidates import Generation
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


class Candidates(Generation):
    """Generation, checked against what the composition wants of it."""

    compose_k: PositiveInt = 1

    @model_validator(mode="after")
    def _enough(self) -> Candidates:
        if self.compose_k > self.images_per_prompt:
            raise ValueError(
                f"compose.selection.k is {self.compose_k}, but generate.images_per_prompt is only "
                f"{self.images_per_prompt}; lower k or raise images_per_prompt"
            )
        return self
