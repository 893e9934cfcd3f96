"""A cell of the bench: a method at one point, trained and measured on the tuning prompts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from mitune.backbones import AdapterRef
from mitune.candidates import Generation
from mitune.jobs import Rank, Worker
from mitune.pipelines.compare.tuning import tuning_cell
from mitune.pipelines.finetune.log import write_log
from mitune.pipelines.finetune.training import Training
from mitune.pipelines.guidance_grid.cells import Cell
from mitune.pipelines.guidance_grid.nodes import CellWork
from mitune.training.adapter_weights import digest


class Measured(NamedTuple):
    """A trained point and its scores."""

    adapter: AdapterRef
    table: pd.DataFrame


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
    """Points are trained by one process each, side by side: their gradients need not be added."""

    measure: CellWork

    def __call__(self, trial: Trial, worker: Worker) -> Iterator[Measured]:
        training = trial.training
        if not trial.trained:
            worker.close()  # what is kept of the point before would be in the way
            steps = list(training(Rank(), worker))
            write_log(training.scratch / training.key, steps)
        cell = trial.cell
        (table,) = self.measure(cell, worker)
        yield Measured(cell.source.adapter, table)
