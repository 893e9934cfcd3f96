"""Pick-a-Pic v2 as it was published: Parquet files with both pictures in every row.

Kirstain et al. (2023), arXiv:2305.01569. The public copy has been withdrawn: give the folder of
your own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from mitune.example_sets.base import Example, ExampleError, Reads
from mitune.example_sets.records import Record, records

_COLUMNS = ("caption", "jpg_0", "jpg_1", "label_0", "label_1")


class PickAPic(BaseModel):
    """All Parquet files below `path`: caption, jpg_0, jpg_1 (bytes), label_0, label_1.

    label_0 and label_1 are 1 and 0, 0 and 1, or 0.5 and 0.5 for a tie. A row whose two pictures are
    the same file is a tie too, whatever its labels. Ties are left out (`ties: drop`), as
    Diffusion-DPO and DSPO do; with `keep` both pictures count as liked where single pictures are
    trained on, and a loss on pairs still leaves them out. A row without labels says nothing and is
    left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reads: ClassVar[Reads] = "pairs"

    kind: Literal["pick_a_pic"] = "pick_a_pic"
    path: Path
    ties: Literal["drop", "keep"] = "drop"

    def read(self) -> Iterator[Example]:
        """As `ExampleSource.read`."""
        for record in records(self.path, _COLUMNS):
            first, second = record.number("label_0"), record.number("label_1")
            if first is None or second is None:
                continue
            example = _example(record, first, second)
            if example.label == 1 or self.ties == "keep":
                yield example


def _example(record: Record, first: float, second: float) -> Example:
    if (first, second) not in ((1, 0), (0, 1), (0.5, 0.5)):
        raise ExampleError(
            f"{record.where}: label_0 and label_1 are {first:g} and {second:g}; they must be 1 and "
            "0, 0 and 1, or 0.5 twice"
        )
    pictures = record.picture("jpg_0"), record.picture("jpg_1")
    winner, loser = pictures if first >= second else pictures[::-1]
    tie = first == second or winner.content == loser.content
    return Example(
        record.text("caption"),
        {"winner": winner, "loser": loser},
        record.where,
        0.5 if tie else 1.0,
    )
