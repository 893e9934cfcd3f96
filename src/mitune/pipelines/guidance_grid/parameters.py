"""Which guidance scales, on how many images."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt


class GuidanceGrid(BaseModel):
    """Every model at every scale, otherwise as in `evaluate`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scales: tuple[NonNegativeFloat, ...] = Field(min_length=1)
    images_per_prompt: PositiveInt
