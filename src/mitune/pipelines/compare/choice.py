"""Of the points of a method, the one that is best on the tuning prompts."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from mitune.backbones import AdapterRef, ModelRef
from mitune.comparison import mean
from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.errors import UserError
from mitune.pipelines.compare.cells import DIVERGED, SETTINGS
from mitune.pipelines.compare.points import Method
from mitune.pipelines.compare.tuning import tuned_on, tuning_cell
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.guidance_grid.cells import read_cell
from mitune.pipelines.guidance_grid.parameters import GuidanceGrid
from mitune.pipelines.quality.parameters import NO_DISTANCES
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.training_log import read_log
from mitune.training.adapter_weights import facts_of
from mitune.training.finetuning import Finetuning


def choose_point(
    points: dict[str, AdapterRef],
    cells: Shards,
    tuning_prompts: pd.DataFrame,
    model: ModelRef,
    workspace: Workspace,
    common: Finetuning,
    method: Method,
    tuning: GuidanceGrid,
    evaluation: Evaluation,
    metrics: Metrics,
) -> tuple[pd.DataFrame, AdapterRef, pd.DataFrame]:
    """A row per point, with the headline's mean and interval; the best adapter, and its log.

    Of equal means the first in the order of the values; a point that diverged has none. `seconds`
    is of one training; `elements` are those of a latent, over which errors are means.

    Raises
    ------
    UserError
        If a point is not there with these settings, or all have diverged.
    """
    headline, painting = metrics.headline_alone, tuned_on(evaluation, tuning)
    rows: list[dict[str, Any]] = []
    for point, settings in method.points(common).items():
        row: dict[str, Any] = {"point": point, "metric": metrics.headline}
        reason = _diverged(cells, point, settings)
        if reason:
            rows.append(row | {DIVERGED: reason})
            continue
        adapter = _trained(points, point, settings)
        cell = tuning_cell(point, model, adapter, painting)
        table = read_cell(cells, cell, cell.key(tuning_prompts, headline, NO_DISTANCES))
        found = asdict(mean(table, metrics.headline))
        row |= {"value": found["mean"], "low": found["low"], "high": found["high"]}
        row |= {"prompts": found["prompts"], "images": len(table), "seconds": _seconds(adapter)}
        rows.append(row | {"elements": math.prod(facts_of(adapter)["latent_shape"])})
    table = pd.DataFrame(rows)
    if "value" not in table:
        raise UserError(f"search: every point diverged; {table[DIVERGED].iloc[0]}")
    table["chosen"] = table.index == table["value"].idxmax()
    (best,) = table.loc[table["chosen"], "point"]
    return table, *_kept(points[best], workspace)


def _diverged(cells: Shards, point: str, settings: Finetuning) -> str:
    """Why there is nothing of a point; empty if there is, or if it was not tried."""
    manifest = cells.manifest(point)
    if manifest is None or DIVERGED not in manifest.columns:
        return ""
    table = cells[point]
    return str(table[DIVERGED][0]) if json.loads(table.attrs[SETTINGS]) == _plain(settings) else ""


def _trained(points: dict[str, AdapterRef], point: str, settings: Finetuning) -> AdapterRef:
    """Raises UserError if there is none, or one of other settings."""
    if point in points and facts_of(points[point])["finetuning"] == _plain(settings):
        return points[point]
    raise UserError(f"{point}: not trained yet with these settings; run its node try_points")


def _plain(settings: Finetuning) -> Any:
    """As it comes back from JSON."""
    return json.loads(json.dumps(settings.model_dump(mode="json")))


def _seconds(adapter: AdapterRef) -> float:
    """Of the training, if one process did it alone as those beside it; else not a number."""
    alone = facts_of(adapter).get("processes") == 1
    return float(read_log(Path(str(adapter.path)))["seconds"].sum()) if alone else math.nan


def _kept(chosen: AdapterRef, workspace: Workspace) -> tuple[AdapterRef, pd.DataFrame]:
    """A copy, since an adapter is moved when it is saved; and the log."""
    folder = Path(str(chosen.path))
    copied = workspace.scratch / f"chosen_{chosen.digest}"
    shutil.copytree(folder, copied, dirs_exist_ok=True)
    return AdapterRef(str(copied), chosen.digest, chosen.round), read_log(folder)
