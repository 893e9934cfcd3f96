"""At which timesteps a model is trained.

arXiv:2403.03206.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, model_validator
from torch import Tensor

from mitune import libraries

_GRID = 1000  # diffusers' time: (0, 1000]


class Uniform(BaseModel):
    """Whole timesteps, uniform in [low, high). MI-TUNE, Table 8: 500 to 1000."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["uniform"] = "uniform"
    low: NonNegativeInt = 500
    high: NonNegativeInt = Field(default=_GRID, le=_GRID)

    @model_validator(mode="after")
    def _ordered(self) -> Uniform:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        return self

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count,) int64."""
        return torch.randint(self.low, self.high, (count,), generator=generator)


class LogitNormal(BaseModel):
    """Logit-normal, then shifted towards noise (Esser et al. 2024, sec. 3.1 and 5.3.2).

    `shift` is that of the checkpoint's schedule; the released code of RFMI draws indices of the
    shifted grid (3.0 for SD 3.5 Medium), which is the same up to rounding.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["logit_normal"] = "logit_normal"
    mean: float = 0.0
    std: PositiveFloat = 1.0
    shift: PositiveFloat = 3.0

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count,) float32 in (0, 1000)."""
        s: Tensor = libraries.diffusers.training_utils.compute_density_for_timestep_sampling(
            "logit_normal", count, self.mean, self.std, generator=generator
        )
        return _GRID * self.shift * s / (1 + (self.shift - 1) * s)


Timesteps: TypeAlias = Annotated[Uniform | LogitNormal, Field(discriminator="kind")]
