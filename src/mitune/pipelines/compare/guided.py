"""Each model at its own best guidance: chosen on the tuning prompts, tested once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from mitune.backbones import AdapterRef, ModelRef
from mitune.comparison import mean
from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.metrics.features import Features
from mitune.pipelines.compare.tuning import tuned_on, tuning_cell
from mitune.pipelines.evaluate.images import generate_test_images
from mitune.pipelines.evaluate.nodes import evaluate
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.guidance_grid.cells import Cell, read_cell
from mitune.pipelines.guidance_grid.nodes import CellWork, paint
from mitune.pipelines.guidance_grid.parameters import GuidanceGrid
from mitune.pipelines.quality.embed import embed_test_images
from mitune.pipelines.quality.parameters import NO_DISTANCES, QualitySettings
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.resources import Resources

_NAME = "guidance"


def paint_scales(
    tuning_prompts: pd.DataFrame,
    model: ModelRef,
    adapter: AdapterRef,
    workspace: Workspace,
    tuning: GuidanceGrid,
    evaluation: Evaluation,
    metrics: Metrics,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame | Path]]:
    """Shards of a model at all scales, made where they are not finished yet."""
    work = CellWork(tuning_prompts, metrics.headline_alone, NO_DISTANCES, resources)
    cells = _cells(model, adapter, tuning, evaluation)
    yield from paint(cells, model, workspace, work, bar="scales")


def choose_guidance(
    cells: Shards,
    tuning_prompts: pd.DataFrame,
    model: ModelRef,
    adapter: AdapterRef,
    tuning: GuidanceGrid,
    evaluation: Evaluation,
    metrics: Metrics,
) -> pd.DataFrame:
    """A row per scale, with the headline's mean and interval; of equal means the lowest scale."""
    headline = metrics.headline_alone
    rows = []
    for cell in _cells(model, adapter, tuning, evaluation):
        table = read_cell(cells, cell, cell.key(tuning_prompts, headline, NO_DISTANCES))
        found = mean(table, metrics.headline)
        rows.append((cell.scale, metrics.headline, found.mean, found.low, found.high))
    table = pd.DataFrame(rows, columns=["scale", "metric", "value", "low", "high"])
    table = table.sort_values("scale", ignore_index=True)
    return table.assign(chosen=table.index == table["value"].to_numpy().argmax())


def best_scale(guidance: pd.DataFrame) -> float:
    """The scale that was chosen."""
    return float(guidance.loc[guidance["chosen"], "scale"].iloc[0])


def generate_guided_images(
    test_prompts: pd.DataFrame,
    model: ModelRef,
    adapter: AdapterRef,
    workspace: Workspace,
    evaluation: Evaluation,
    guidance: pd.DataFrame,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame | Path]]:
    """As `generate_test_images`, at the best scale."""
    settings = _at_best(evaluation, guidance)
    yield from generate_test_images(test_prompts, model, adapter, workspace, settings, resources)


def evaluate_guided(
    guided_images: Shards,
    test_prompts: pd.DataFrame,
    model: ModelRef,
    adapter: AdapterRef,
    evaluation: Evaluation,
    guidance: pd.DataFrame,
    metrics: Metrics,
    resources: Resources,
) -> pd.DataFrame:
    """Scores per image, at the best scale."""
    settings = _at_best(evaluation, guidance)
    given = (guided_images, test_prompts, model, adapter, settings, metrics, resources)
    scores, _ = evaluate(*given)
    return scores


def embed_guided(
    guided_images: Shards,
    test_prompts: pd.DataFrame,
    model: ModelRef,
    adapter: AdapterRef,
    evaluation: Evaluation,
    guidance: pd.DataFrame,
    quality: QualitySettings,
    resources: Resources,
) -> dict[str, Features]:
    """Features of the images at the best scale, by embedder."""
    settings = _at_best(evaluation, guidance)
    given = (guided_images, test_prompts, model, adapter, settings, quality, resources)
    return embed_test_images(*given)


def _cells(
    model: ModelRef, adapter: AdapterRef, tuning: GuidanceGrid, evaluation: Evaluation
) -> list[Cell]:
    settings = tuned_on(evaluation, tuning)
    return [tuning_cell(_NAME, model, adapter, settings, scale) for scale in tuning.scales]


def _at_best(evaluation: Evaluation, guidance: pd.DataFrame) -> Evaluation:
    scale = best_scale(guidance)
    return evaluation.model_copy(update={"guidance": evaluation.guidance.at_scale(scale)})
