"""What images are measured with, in every stage that measures."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from mitune.metrics import MetricConfig


class Metrics(BaseModel):
    """Named metrics; the first one is the headline of the report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scorers: dict[str, MetricConfig]

    @property
    def files(self) -> tuple[Path, ...]:
        """Weights that the metrics read: their contents count like parameters."""
        return tuple(Path(config.path) for config in self.scorers.values())
