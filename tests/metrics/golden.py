"""Vectors of the official box functions, and own ones that are worked out by hand."""

import csv
from collections.abc import Iterator

import numpy as np
import pytest

from tests.conftest import ROOT

GOLDEN = ROOT.parent / "shared/data/golden_boxes.csv"
at_hand = pytest.mark.skipif(not GOLDEN.is_file(), reason="golden_boxes.csv is not at hand")


def golden(kind: str) -> Iterator[tuple[str | None, np.ndarray, np.ndarray, float]]:
    """(wording, box, box, score) of the rows of a kind."""
    with GOLDEN.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["kind"] == kind:
                a, b = (
                    np.array([float(row[f"{box}_{side}"]) for side in SIDES]) for box in ("a", "b")
                )
                yield row["locality"] or None, a, b, float(row["score"])


SIDES = ("xmin", "ymin", "xmax", "ymax")
