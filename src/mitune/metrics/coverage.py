"""Which prompts a detector with fixed labels can never score in full.

A closed-vocabulary detector finds nothing that it has no label for, whatever the picture: the
share of prompts within reach is the ceiling of the score. The labels are given as a file: those of
UniDet are not part of this project.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import ClassVar, Literal, Protocol, runtime_checkable

import pandas as pd

from mitune.metrics.base import MetricError


@runtime_checkable
class AsksDetector(Protocol):
    """A metric that looks for things it reads in a prompt.

    `label_match`: whether a label stands for a name if it equals it, or if it contains it.
    """

    label_match: ClassVar[Literal["equal", "contain"]]

    def names(self, prompt: str) -> tuple[str, ...] | None:
        """What the detector is asked for; () if nothing is read, None if it has no part in it."""
        ...


def label_coverage(
    prompts: Iterable[str], metric: AsksDetector, labels: Collection[str]
) -> pd.DataFrame:
    """One row per prompt that is asked about: for what, what has no label, and whether all has one.

    Columns: prompt, names, missing (tuples), covered (whether the prompt can score in full, by
    labels as the metric matches them). A prompt in which nothing is read cannot score. The ceiling
    is the mean of `covered`; numeracy and 3D-spatial still score in part below it.
    """
    known = {label.strip().lower() for label in labels}
    rows = []
    for prompt in prompts:
        names = metric.names(prompt)
        if names is None:
            continue
        asked = tuple(dict.fromkeys(names))
        missing = tuple(name for name in asked if not _has_label(name, known, metric.label_match))
        rows.append((prompt, asked, missing, bool(asked) and not missing))
    table = pd.DataFrame(rows, columns=["prompt", "names", "missing", "covered"])
    return table.astype({"covered": bool})


def _has_label(name: str, known: Collection[str], match: Literal["equal", "contain"]) -> bool:
    return name in known or (match == "contain" and any(name in label for label in known))


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
