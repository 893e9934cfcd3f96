"""Paint and measure the cells of the curve as those of the grid; the headline metric alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mitune.arm import Arm
from mitune.backbones import AdapterRef, ModelRef
from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.figures.guidance_curve import guidance_curve
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.guidance_curve.parameters import GuidanceCurve
from mitune.pipelines.guidance_grid.cells import cells_of, read_cell
from mitune.pipelines.guidance_grid.nodes import Comparer, Painter, measured, paint_cells
from mitune.pipelines.quality.parameters import NO_DISTANCES
from mitune.pipelines.shared.arms import ArmFacts, read_arms
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.resources import Resources


def paint_curve(arms: tuple[Arm, ...]) -> Painter:
    """Node function for `arms`, the base first."""
    paint = paint_cells(arms)

    def paint_curve_of_arms(
        prompts: pd.DataFrame,
        model: ModelRef,
        workspace: Workspace,
        evaluation: Evaluation,
        metrics: Metrics,
        curve: GuidanceCurve,
        resources: Resources,
        *adapters: AdapterRef,
    ) -> Iterator[dict[str, pd.DataFrame | Path]]:
        """Shards of all cells, made where they are not finished yet."""
        some, headline = _some(prompts, curve.prompts), metrics.headline_alone
        yield from paint(
            some, model, workspace, evaluation, headline, NO_DISTANCES, curve.grid, resources,
            *adapters,
        )  # fmt: skip

    return paint_curve_of_arms


def draw_curve(arms: tuple[Arm, ...]) -> Comparer:
    """Node function for `arms`, the base first."""

    def draw_curve_of_arms(
        shards: Shards,
        facts: ArmFacts,
        prompts: pd.DataFrame,
        model: ModelRef,
        evaluation: Evaluation,
        metrics: Metrics,
        curve: GuidanceCurve,
        *adapters: AdapterRef,
    ) -> tuple[pd.DataFrame, Figure]:
        """A row per arm and scale, and their figure."""
        given = {arm.name: ref for arm, ref in zip(arms, adapters, strict=True)}
        some, headline = _some(prompts, curve.prompts), metrics.headline_alone
        rows: list[dict[str, Any]] = []
        for cell in cells_of(model, given, evaluation.generation, curve.grid):
            table = read_cell(shards, cell, cell.key(some, headline, NO_DISTANCES))
            counts = {"prompts": len(some), "images": len(table)}
            measurements = measured(cell, table, {}, headline, NO_DISTANCES)
            rows += [row | counts for row in measurements]
        table = pd.DataFrame(rows).rename(columns={"measure": "metric"})
        shown = [arm for arm in read_arms(facts) if arm.name in given]
        units = metrics.units[metrics.headline]
        return table, guidance_curve(table, metrics.headline, units, shown)

    return draw_curve_of_arms


def _some(prompts: pd.DataFrame, count: int) -> pd.DataFrame:
    """The first of each category in turn."""
    turn = prompts.groupby("category", sort=False).cumcount()
    return prompts.loc[turn.sort_values(kind="stable").index].head(count)
