"""What images are measured with, in every stage that measures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, field_validator

from mitune.metrics import MetricConfig, Scorer


class Metrics(BaseModel):
    """Named metrics; the first one is the headline of the report. `null` drops one of base."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scorers: dict[str, MetricConfig]

    @field_validator("scorers", mode="before")
    @classmethod
    def _without_dropped(cls, scorers: dict[str, Any]) -> dict[str, Any]:
        return {name: config for name, config in scorers.items() if config is not None}

    def load(self, device: torch.device) -> dict[str, Scorer]:
        """Read the weights of all. Raises MetricError if some are missing or truncated."""
        return {name: config.load(device) for name, config in self.scorers.items()}

    @property
    def files(self) -> tuple[Path, ...]:
        """Weights that the metrics read: their contents count like parameters."""
        return tuple(file for config in self.scorers.values() for file in config.files.values())
