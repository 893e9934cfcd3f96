"""A cell of the bench: a method at one point, trained and measured on the tuning prompts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from mitune.backbones import AdapterRef
from mitune.candidates import Generation
from mitune.jobs import Worker
from mitune.pipelines.compare.tuning import tuning_cell
from mitune.pipelines.finetune.nodes import train_alone
from mitune.pipelines.finetune.training import Training
from mitune.pipelines.guidance_grid.cells import Cell
from mitune.pipelines.guidance_grid.nodes import CellWork
from mitune.training.adapter_weights import digest

DIVERGED, SETTINGS = "diverged", "settings"


class Measured(NamedTuple):
    """A trained point and its scores; no adapter, and why, if its training diverged."""

    adapter: AdapterRef | None
    table: pd.DataFrame


def diverged_key(training: Training) -> str:
    """Names a training that was tried and came to nothing."""
    return f"diverged-{training.key}"


@dataclass(frozen=True)
class Trial:
    """A job: train the point if it is not `trained`, then paint as `settings` say, and measure."""

    point: str
    training: Training
    trained: bool
    settings: Generation

    def __str__(self) -> str:
        return f"point {self.point}"

    @property
    def cell(self) -> Cell:
        """What is painted with its adapter, which must be there."""
        training = self.training
        folder = training.scratch / training.key
        adapter = AdapterRef(str(folder), digest(folder), training.adapter_in.round + 1)
        return tuning_cell(self.point, training.model, adapter, self.settings)


@dataclass(frozen=True)
class TrialWork:
    """Points are trained by one process each, side by side."""

    measure: CellWork

    def __call__(self, trial: Trial, worker: Worker) -> Iterator[Measured]:
        training = trial.training
        if not trial.trained:
            worker.close()  # what is kept of the point before would be in the way
            try:
                train_alone(training, worker)
            except FloatingPointError as error:  # too far out: as bad as can be, but no accident
                yield Measured(None, _diverged(training, str(error)))
                return
        cell = trial.cell
        (table,) = self.measure(cell, worker)
        yield Measured(cell.source.adapter, table)


def _diverged(training: Training, reason: str) -> pd.DataFrame:
    table = pd.DataFrame({DIVERGED: [reason]})
    settings = training.settings.model_dump(mode="json")
    table.attrs = {"key": diverged_key(training), SETTINGS: json.dumps(settings)}
    return table
