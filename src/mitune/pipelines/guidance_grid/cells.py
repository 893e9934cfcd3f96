"""A cell of the grid: a model at a guidance scale, its scores and what its images look like."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mitune.backbones import AdapterRef, ModelRef
from mitune.candidates import Generation, Source, shard_keys
from mitune.datasets.shards import Shards
from mitune.errors import UserError
from mitune.metrics.features import Features
from mitune.pipelines.guidance_grid.parameters import GuidanceGrid
from mitune.pipelines.quality.parameters import QualitySettings
from mitune.pipelines.shared.metrics import Metrics, metric_key
from mitune.pipelines.shared.sources import with_code

_FEATURES = "features of "


@dataclass(frozen=True)
class Cell:
    """Seeds are shared by all cells, so that they can be compared prompt by prompt.

    `scale` is None where the guidance is that of `evaluate`.
    """

    model: str
    scale: float | None
    source: Source
    generation: Generation

    @property
    def shard(self) -> str:
        """Its name."""
        return self.model if self.scale is None else f"{self.model}__{self.scale:g}"

    def __str__(self) -> str:
        return self.model if self.scale is None else f"{self.model} at {self.scale:g}"

    def key(self, prompts: pd.DataFrame, metrics: Metrics, quality: QualitySettings) -> str:
        """Names all that its numbers depend on."""
        source = with_code(self.source, self.generation)
        images = shard_keys(source, self.generation, prompts)
        measured = (metrics.scorers, quality.embedders)
        seen_by = [{name: metric_key(config) for name, config in each.items()} for each in measured]
        facts = [images, self.generation.images_per_prompt, seen_by]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def cells_of(
    model: ModelRef,
    adapters: dict[str, AdapterRef],
    generation: Generation,
    grid: GuidanceGrid,
) -> list[Cell]:
    """All of them, a model at a time."""
    size = grid.images_per_prompt
    settings = {
        scale: generation.model_copy(
            update={"guidance": generation.guidance.at_scale(scale), "images_per_prompt": size}
        )
        for scale in grid.scales
    }
    return [
        Cell(name, scale, Source(model, given, "guidance_grid"), settings[scale])
        for name, given in adapters.items()
        for scale in grid.scales
    ]


def read_cell(shards: Shards, cell: Cell, key: str) -> pd.DataFrame:
    """Its scores and features.

    Raises
    ------
    UserError
        If it is not there, or was made of something else.
    """
    table = shards.made_under(cell.shard, key)
    if table is None:
        raise UserError(
            f"{cell.shard}: not painted yet, or with another adapter, metric or setting; run "
            "the pipeline that paints it again"
        )
    return table


def with_features(table: pd.DataFrame, features: dict[str, np.ndarray]) -> pd.DataFrame:
    """A table of scores with the vectors (N, D) of each embedder, as bytes."""
    columns = {_FEATURES + name: [v.tobytes() for v in rows] for name, rows in features.items()}
    return table.assign(**columns)


def features_in(table: pd.DataFrame, embedder: str, provenance: dict[str, str]) -> Features:
    """Vectors of one embedder; a prompt is a unit."""
    rows = [np.frombuffer(row, np.float64) for row in table[_FEATURES + embedder]]
    return Features(np.stack(rows), np.array(table["prompt_id"], dtype=np.str_), provenance)
