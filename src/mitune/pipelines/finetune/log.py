"""What training logged, kept with the adapter: the log of one that is found again is whole."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from mitune.training.checkpoint import TrainingStep

_LOG = "training_log.json"


def write_log(folder: Path, steps: Iterable[TrainingStep]) -> None:
    """Beside the adapter in `folder`, once all steps are done; floats are exact, unlike pandas'."""
    rows = [asdict(step) | dict(step.watched) for step in steps]
    log = pd.DataFrame(rows).drop(columns="watched")
    (folder / _LOG).write_text(json.dumps(log.to_dict("list")))


def read_log(folder: Path) -> pd.DataFrame:
    """One row a step; a column for each thing that the objective watches."""
    return pd.DataFrame(json.loads((folder / _LOG).read_text()))
