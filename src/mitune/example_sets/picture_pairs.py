"""Pairs of pictures in any CSV or Parquet manifest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from mitune.example_sets.base import Example, Reads
from mitune.example_sets.records import Record, records


class PicturePairs(BaseModel):
    """`manifest.csv` or `manifest.parquet` in the folder `path`: columns prompt, winner, loser.

    A cell names a file below the folder, or is the picture itself (bytes). A column `category` is
    kept, others are ignored. The columns may have other names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reads: ClassVar[Reads] = "pairs"

    kind: Literal["pairs"] = "pairs"
    path: Path
    prompt: str = "prompt"
    winner: str = "winner"
    loser: str = "loser"

    def read(self) -> Iterator[Example]:
        """As `ExampleSource.read`."""
        for record in records(self.path, (self.prompt, self.winner, self.loser), ("category",)):
            yield pair_of(record, self.prompt, self.winner, self.loser)


def pair_of(record: Record, prompt: str, winner: str, loser: str) -> Example:
    """The pair in these columns. Raises ExampleError if a cell is empty."""
    pictures = {"winner": record.picture(winner), "loser": record.picture(loser)}
    category = record.cells.get("category") or ""
    return Example(record.text(prompt), pictures, record.where, category=category)
