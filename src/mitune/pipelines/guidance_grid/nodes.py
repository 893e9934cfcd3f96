"""Paint and measure every cell; set alignment against quality."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from mitune.arm import Arm
from mitune.backbones import AdapterRef, ModelRef
from mitune.candidates import generate
from mitune.comparison import mean
from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.evaluation import measure
from mitune.figures.guidance_grid import guidance_grid
from mitune.jobs import Worker, run
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
from mitune.pipelines.shared.arms import ArmFacts, read_arms
from mitune.pipelines.shared.measuring import loaded
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.painting import open_on
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.workers import executor_of

Painter = Callable[..., Iterator[dict[str, pd.DataFrame | Path]]]
Comparer = Callable[..., tuple[pd.DataFrame, Figure]]


def paint_cells(arms: tuple[Arm, ...]) -> Painter:
    """Node function for `arms`, the base first."""

    def paint_cells_of_models(
        prompts: pd.DataFrame,
        model: ModelRef,
        workspace: Workspace,
        evaluation: Evaluation,
        metrics: Metrics,
        quality: QualitySettings,
        grid: GuidanceGrid,
        resources: Resources,
        *adapters: AdapterRef,
    ) -> Iterator[dict[str, pd.DataFrame | Path]]:
        """Shards of all cells, made where they are not finished yet."""
        given = {arm.name: ref for arm, ref in zip(arms, adapters, strict=True)}
        cells = cells_of(model, given, evaluation.generation, grid)
        yield from paint(cells, model, workspace, CellWork(prompts, metrics, quality, resources))

    return paint_cells_of_models


def paint(
    cells: Sequence[Cell],
    model: ModelRef,
    workspace: Workspace,
    work: CellWork,
    bar: str = "cells",
) -> Iterator[dict[str, pd.DataFrame | Path]]:
    """Shards of `cells`: files of those that are finished, then tables of the others."""
    keys = {cell.shard: cell.key(work.prompts, work.metrics, work.quality) for cell in cells}
    finished = workspace.shards(keys)
    if finished:
        yield dict(finished.files)

    def is_finished(cell: Cell) -> bool:
        return cell.shard in finished

    executor = executor_of(work.resources, model, *work.metrics.scorers.values())
    with tqdm(total=len(cells), initial=len(finished), desc=bar) as progress:
        for result in run(cells, work, is_finished, executor):
            result.value.attrs = {"key": keys[result.job.shard]}
            yield {result.job.shard: result.value}
            progress.update()


@dataclass(frozen=True)
class CellWork:
    """Paint a cell, measure its images, and embed them."""

    prompts: pd.DataFrame
    metrics: Metrics
    quality: QualitySettings
    resources: Resources

    def __call__(self, cell: Cell, worker: Worker) -> Iterator[pd.DataFrame]:
        source, settings, resources = cell.source, cell.generation, self.resources
        backbone = open_on(
            worker, "painter", source.model, source.adapter, resources, settings.dtype
        )
        scorers = loaded(self.metrics, worker)
        configs = self.quality.embedders
        embedders = worker.keep(
            "embedders",
            tuple(configs),
            lambda: nullcontext({n: config.load(worker.device) for n, config in configs.items()}),
        )
        tables = []
        for _, shard in generate(backbone, source, self.prompts, settings, resources.batch_size):
            table, pictures = measure(backbone, shard, scorers)
            seen = {name: embedder(pictures) for name, embedder in embedders.items()}
            tables.append(with_features(table, seen))
        yield pd.concat(tables, ignore_index=True).assign(model=cell.model, scale=cell.scale)


def compare_cells(arms: tuple[Arm, ...]) -> Comparer:
    """Node function for `arms`, the base first."""

    def compare_cells_of_models(
        shards: Shards,
        facts: ArmFacts,
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
        given = {arm.name: ref for arm, ref in zip(arms, adapters, strict=True)}
        rows: list[dict[str, Any]] = []
        for cell in cells_of(model, given, evaluation.generation, grid):
            table = read_cell(shards, cell, cell.key(prompts, metrics, quality))
            rows += measured(cell, table, reference, metrics, quality)
        table = pd.DataFrame(rows).sort_values(["measure", "model", "scale"], ignore_index=True)
        shown = [arm for arm in read_arms(facts) if arm.name in given]
        headline, distance = metrics.headline, next(iter(quality.measures))
        return table, guidance_grid(table, shown, headline, metrics.units[headline], distance)

    return compare_cells_of_models


def measured(
    cell: Cell,
    table: pd.DataFrame,
    reference: dict[str, Features],
    metrics: Metrics,
    quality: QualitySettings,
) -> Iterator[dict[str, Any]]:
    """A row per metric and distance of one cell: model, scale, measure, value, low, high."""
    where = {"model": cell.model, "scale": cell.scale}
    for metric in metrics.scorers:
        estimate = mean(table, metric)
        interval = {"value": estimate.mean, "low": estimate.low, "high": estimate.high}
        yield {**where, "measure": metric, **interval}
    for name, config in quality.measures.items():
        embedder = embedder_name(config.embedder)
        seen = features_in(table, embedder, config.embedder.provenance)
        yield {**where, "measure": name, **asdict(config.compare(seen, reference[embedder]))}
