"""Every arm on the same prompts with the same seeds, measured where it is not measured yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from mitune.backbones import AdapterRef, ModelRef
from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.jobs import Worker, run
from mitune.pipelines.evaluate.images import evaluation_source
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.guidance_grid.cells import Cell, read_cell
from mitune.pipelines.guidance_grid.nodes import CellWork
from mitune.pipelines.quality.parameters import NO_DISTANCES
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.workers import executor_of
from mitune.pipelines.studies.parameters import Studies, adapter_name


@dataclass(frozen=True)
class Images:
    """A job: the images of one model, and the names of all arms that are it."""

    names: tuple[str, ...]
    cell: Cell

    def __str__(self) -> str:
        return f"images of {', '.join(self.names)}"


@dataclass(frozen=True)
class ImagesWork:
    """Paint and measure."""

    cells: CellWork

    def __call__(self, images: Images, worker: Worker) -> Iterator[pd.DataFrame]:
        yield from self.cells(images.cell, worker)


def measure_arms(
    test_prompts: pd.DataFrame,
    trained: Mapping[str, AdapterRef],
    merged: Mapping[str, AdapterRef],
    model: ModelRef,
    workspace: Workspace,
    evaluation: Evaluation,
    metrics: Metrics,
    studies: Studies,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame | Path]]:
    """Scores per image of every arm and repeat, a shard each; images themselves are not kept."""
    cells = _cells(studies, {**trained, **merged}, model, evaluation)
    keys = {name: cell.key(test_prompts, metrics, NO_DISTANCES) for name, cell in cells.items()}
    finished = workspace.shards(keys)
    if finished:
        yield dict(finished.files)
    jobs: dict[str, Images] = {}
    for name, cell in cells.items():
        if name not in finished:
            same = jobs[keys[name]].names if keys[name] in jobs else ()
            jobs[keys[name]] = Images((*same, name), cell)
    work = ImagesWork(CellWork(test_prompts, metrics, NO_DISTANCES, resources))
    executor = executor_of(resources, model, *metrics.scorers.values())
    with tqdm(total=len(cells), initial=len(finished), desc="images of arms") as progress:
        for result in run(jobs.values(), work, lambda job: False, executor):
            result.value.attrs = {"key": keys[result.job.names[0]]}
            yield dict.fromkeys(result.job.names, result.value)
            progress.update(len(result.job.names))


def read_measured(
    shards: Shards,
    test_prompts: pd.DataFrame,
    adapters: Mapping[str, AdapterRef],
    model: ModelRef,
    evaluation: Evaluation,
    metrics: Metrics,
    studies: Studies,
) -> dict[str, pd.DataFrame]:
    """By arm, all its repeats, with `repeat`.

    Raises
    ------
    UserError
        If one is missing, or was made of something else.
    """
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in studies.every}
    cells = _cells(studies, adapters, model, evaluation)
    for name, cell in cells.items():
        arm, _, repeat = name.rpartition("__")
        table = read_cell(shards, cell, cell.key(test_prompts, metrics, NO_DISTANCES))
        tables[arm].append(table.assign(repeat=int(repeat)))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}


def _cells(
    studies: Studies,
    adapters: Mapping[str, AdapterRef],
    model: ModelRef,
    evaluation: Evaluation,
) -> dict[str, Cell]:
    """By name; the base has no repeats."""
    cells = {}
    for arm_name, arm in studies.every.items():
        for repeat in range(1 if arm.untrained else studies.repeats):
            name = adapter_name(arm_name, repeat)
            adapter = AdapterRef(None) if arm.untrained else adapters[name]
            source = evaluation_source(model, adapter)
            cells[name] = Cell(name, None, source, evaluation.generation)
    return cells
