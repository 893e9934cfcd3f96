"""What images are measured with, in every stage that measures."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, field_validator

from mitune.candidates import ESTIMATES
from mitune.lineage import source_code
from mitune.lineage.content import content_digest
from mitune.metrics import MetricConfig, Scorer
from mitune.metrics.embedders import EmbedderConfig
from mitune.metrics.units import Units

# What tables that a metric adds its column to have besides: candidates, pictures, sets.
_TAKEN = {
    *("prompt_id", "category", "prompt", "image_index", "seed", "latent", *ESTIMATES),
    *("file", "digest", "height", "width", "line", "score", "metric", "model", "mean"),
    *("rank", "example", "role", "label", "weight", "png"),
}
_INCREMENTS = "_increments"
_NAME = re.compile(r"\w[\w.-]*")


class Metrics(BaseModel):
    """Named metrics; the first one is the headline of the report. `null` drops one of base."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scorers: dict[str, MetricConfig]

    @field_validator("scorers", mode="before")
    @classmethod
    def _without_dropped(cls, scorers: dict[str, Any]) -> dict[str, Any]:
        kept = {name: config for name, config in scorers.items() if config is not None}
        if not kept:
            raise ValueError("all of them are null; keep one, the headline of the report")
        for name in kept:
            if name in _TAKEN or name.endswith(_INCREMENTS):
                raise ValueError(f"{name!r} is a column of the tables already; give another name")
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name; use letters, digits, '_' and '-'")
        return kept

    @property
    def headline(self) -> str:
        """The name of the first."""
        return next(iter(self.scorers))

    @property
    def headline_alone(self) -> Metrics:
        """The first without the others, which would only cost time where it alone is read."""
        return Metrics(scorers={self.headline: self.scorers[self.headline]})

    @property
    def units(self) -> dict[str, Units]:
        """How to read the numbers of each, by its name."""
        return {name: config.units for name, config in self.scorers.items()}

    @property
    def provenance(self) -> dict[str, dict[str, Any]]:
        """What the numbers of each depend on, by its name."""
        return {name: provenance_of(config) for name, config in self.scorers.items()}

    def load(self, device: torch.device) -> dict[str, Scorer]:
        """Read the weights of all. Raises MetricError if some are missing or truncated."""
        return {name: config.load(device) for name, config in self.scorers.items()}

    @property
    def files(self) -> tuple[Path, ...]:
        """Weights that the metrics read: their contents count like parameters."""
        return tuple(file for config in self.scorers.values() for file in config.files.values())


def provenance_of(config: MetricConfig | EmbedderConfig) -> dict[str, Any]:
    """What the numbers of a metric depend on; `contents` names what is in its local files."""
    contents = {str(path): content_digest(path) for path in config.files.values()}
    return {**config.provenance, "contents": contents}


def metric_key(config: MetricConfig | EmbedderConfig) -> str:
    """One name for a metric: its provenance and its code, but not what a user calls it."""
    code = source_code.computing(config)
    facts = json.dumps([provenance_of(config), code], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:16]
