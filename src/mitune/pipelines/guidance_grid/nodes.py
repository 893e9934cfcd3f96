"""Paint and measure every cell; set alignment against quality."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from mitune import figures
from mitune.backbones import AdapterRef, ModelRef
from mitune.comparison import mean
from mitune.datasets.shards import Shards
from mitune.evaluation import measure
from mitune.metrics import Scorer
from mitune.metrics.embedders import Embedder
from mitune.metrics.features import Features
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.guidance_grid.cells import (
    Cell,
    cells_of,
    features_in,
    read_cell,
    with_features,
)
from mitune.pipelines.guidance_grid.parameters import GuidanceGrid
from mitune.pipelines.quality.parameters import QualitySettings, embedder_name
from mitune.pipelines.shared.label import label
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.models import opened
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.shards import generated

Painter = Callable[..., Iterator[dict[str, pd.DataFrame]]]
Comparer = Callable[..., tuple[pd.DataFrame, Figure]]


def paint_cells(models: tuple[str, ...]) -> Painter:
    """Node function for `models`, the base first."""

    def paint_cells_of_models(
        prompts: pd.DataFrame,
        model: ModelRef,
        finished: Shards,
        evaluation: Evaluation,
        metrics: Metrics,
        quality: QualitySettings,
        grid: GuidanceGrid,
        resources: Resources,
        *adapters: AdapterRef,
    ) -> Iterator[dict[str, pd.DataFrame]]:
        """Yield one shard per cell that is not finished yet."""
        given = dict(zip(models, adapters, strict=True))
        cells = cells_of(model, given, evaluation.generation, grid)
        keys = {cell.shard: cell.key(prompts, metrics, quality) for cell in cells}
        todo = [cell for cell in cells if not finished.count(cell.shard, keys[cell.shard])]
        if not todo:
            return
        device = resources.torch_device
        scorers = metrics.load(device)
        embedders = {name: config.load(device) for name, config in quality.embedders.items()}
        for cell in tqdm(todo, total=len(cells), initial=len(cells) - len(todo), desc="cells"):
            table = _painted(cell, prompts, scorers, embedders, resources)
            table.attrs = {"key": keys[cell.shard]}
            yield {cell.shard: table}

    return paint_cells_of_models


def _painted(
    cell: Cell,
    prompts: pd.DataFrame,
    scorers: dict[str, Scorer],
    embedders: dict[str, Embedder],
    resources: Resources,
) -> pd.DataFrame:
    tables = []
    source = cell.source
    with opened(source.model, source.adapter, resources, cell.generation.dtype) as backbone:
        shards = generated(backbone, source, prompts, cell.generation, resources.batch_size)
        for _, shard in shards:
            table, pictures = measure(backbone, shard, scorers)
            seen = {name: embedder(pictures) for name, embedder in embedders.items()}
            tables.append(with_features(table, seen))
    return pd.concat(tables, ignore_index=True).assign(model=cell.model, scale=cell.scale)


def compare_cells(models: tuple[str, ...]) -> Comparer:
    """Node function for `models`, the base first."""

    def compare_cells_of_models(
        shards: Shards,
        reference: dict[str, Features],
        prompts: pd.DataFrame,
        model: ModelRef,
        evaluation: Evaluation,
        metrics: Metrics,
        quality: QualitySettings,
        grid: GuidanceGrid,
        *adapters: AdapterRef,
    ) -> tuple[pd.DataFrame, Figure]:
        """A row per model, scale and measure, metrics and distances alike, and their figure."""
        given = dict(zip(models, adapters, strict=True))
        rows: list[dict[str, Any]] = []
        for cell in cells_of(model, given, evaluation.generation, grid):
            table = read_cell(shards, cell, cell.key(prompts, metrics, quality))
            rows += _measured(cell, table, reference, metrics, quality)
        table = pd.DataFrame(rows).sort_values(["measure", "model", "scale"], ignore_index=True)
        labels = {model: label(model) for model in dict.fromkeys(table["model"])}
        alignment, distance = next(iter(metrics.scorers)), next(iter(quality.measures))
        return table, figures.guidance_grid(table, labels, alignment, distance)

    return compare_cells_of_models


def _measured(
    cell: Cell,
    table: pd.DataFrame,
    reference: dict[str, Features],
    metrics: Metrics,
    quality: QualitySettings,
) -> Iterator[dict[str, Any]]:
    where = {"model": cell.model, "scale": cell.scale}
    for metric in metrics.scorers:
        found = mean(table, metric)
        interval = {"value": found.mean, "low": found.low, "high": found.high}
        yield {**where, "measure": metric, **interval}
    for name, config in quality.measures.items():
        embedder = embedder_name(config.embedder)
        seen = features_in(table, embedder, config.embedder.provenance)
        yield {**where, "measure": name, **asdict(config.compare(seen, reference[embedder]))}
