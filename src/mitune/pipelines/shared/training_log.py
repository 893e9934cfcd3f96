"""What training logged, kept with the adapter: the log of one that is found again is whole."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from mitune.training.checkpoint import TrainingStep

_LOG = "training_log.json"


def log_table(steps: Iterable[TrainingStep]) -> pd.DataFrame:
    """One row a step; a column for each thing that the objective watches."""
    rows = [asdict(step) | dict(step.watched) for step in steps]
    return pd.DataFrame(rows).drop(columns="watched")


def write_log(folder: Path, steps: Iterable[TrainingStep]) -> None:
    """Beside the adapter in `folder`, once all steps are done; floats are exact, unlike pandas'."""
    (folder / _LOG).write_text(json.dumps(log_table(steps).to_dict("list")))


def read_log(folder: Path) -> pd.DataFrame:
    """What `write_log` wrote, as `log_table`."""
    return pd.DataFrame(json.loads((folder / _LOG).read_text()))
