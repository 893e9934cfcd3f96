"""Which prompts a detector with fixed labels can never score in full.

A closed-vocabulary detector finds nothing that it has no label for, whatever the picture: the
share of prompts within reach is the ceiling of the score. The labels are given as a file: those of
UniDet are not part of this project.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Protocol, runtime_checkable

import pandas as pd

from mitune.metrics.base import MetricError


@runtime_checkable
class AsksDetector(Protocol):
    """A metric that looks for things it reads in a prompt."""

    def names(self, prompt: str) -> tuple[str, ...]:
        """What the detector is asked for; none if nothing is read."""
        ...


def label_coverage(
    prompts: Iterable[str], metric: AsksDetector, labels: Collection[str]
) -> pd.DataFrame:
    """One row per prompt: what is asked for, what has no label, and whether all has one.

    Columns: prompt, names, missing_exact, missing_substring (tuples), exact, substring (whether the
    prompt can score in full, with labels that equal the name as 2D-spatial wants them, or contain
    it, as 3D-spatial and numeracy do). A prompt in which nothing is read cannot
    score. The ceiling is the mean of `exact` or `substring`; numeracy and 3D-spatial still score in
    part below it.
    """
    known = {label.strip().lower() for label in labels}
    rows = []
    for prompt in prompts:
        asked = tuple(dict.fromkeys(metric.names(prompt)))
        exact = tuple(name for name in asked if name not in known)
        inside = tuple(name for name in exact if not any(name in label for label in known))
        rows.append((prompt, asked, exact, inside, bool(asked) and not exact,
                     bool(asked) and not inside))  # fmt: skip
    columns = ["prompt", "names", "missing_exact", "missing_substring", "exact", "substring"]
    return pd.DataFrame(rows, columns=columns)


def read_labels(path: Path) -> tuple[str, ...]:
    """Labels of a detector, one a line.

    Raises
    ------
    MetricError
        If the file is not there or has none.
    """
    if not path.is_file():
        raise MetricError(f"{path}: not found; give a text file with one label a line")
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    labels = tuple(line for line in lines if line)
    if not labels:
        raise MetricError(f"{path}: no labels; give a text file with one label a line")
    return labels
