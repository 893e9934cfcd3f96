"""Rows of the tables in a folder, CSV or Parquet, and the pictures that their cells hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from mitune.example_sets.base import ExampleError, Picture
from mitune.texts import read_table

MANIFESTS = ("manifest.csv", "manifest.parquet")
_ROWS = 8  # of a Parquet file that are in memory at once: cells are whole pictures


class Record(NamedTuple):
    """A row and where it stands; `folder` is what names of files in it are relative to."""

    where: str
    cells: Mapping[str, Any]
    folder: Path

    def text(self, column: str) -> str:
        """A cell that must be filled."""
        value = self.cells.get(column)
        if not isinstance(value, str) or not value.strip():
            raise ExampleError(f"{self.where}: {column} is empty; fill it in, or drop the row")
        return value.strip()

    def number(self, column: str) -> float | None:
        """A cell that may be empty."""
        value = self.cells.get(column)
        if value is None or value == "":
            return None
        try:
            return float(value)
        except (TypeError, ValueError):
            raise ExampleError(
                f"{self.where}: {column} is {value!r}; write a number there"
            ) from None

    def picture(self, column: str) -> Picture:
        """A cell that is a picture (bytes, as datasets has them too), or names its file."""
        value, where = self.cells.get(column), f"{self.where}, {column}"
        if isinstance(value, Mapping):  # an image of the library datasets
            value = value.get("bytes") or value.get("path")
        if isinstance(value, bytes) and value:
            return Picture(value, where)
        if isinstance(value, str) and value.strip():
            return self._file(value.strip(), where)
        raise ExampleError(f"{where}: no picture; give one, or drop the row")

    def _file(self, name: str, where: str) -> Picture:
        file = (self.folder / name).resolve()
        if not file.is_relative_to(self.folder.resolve()):
            raise ExampleError(
                f"{where}: {name!r} is outside {self.folder}; put pictures below it, or give the "
                "folder that has them all"
            )
        if not file.is_file():
            raise ExampleError(f"{where}: {name!r} is not there; add it, or drop the row")
        return Picture(file.read_bytes(), f"{where}, {name}")


def records(folder: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Record]:
    """Rows of the manifest in `folder`, or of all Parquet files in it, in the order of their names.

    Of Parquet only these columns are read. Raises ExampleError for a folder without a table, a
    table without a column and a file that cannot be read; TextError for a CSV file that is none.
    """
    for file in _tables(folder):
        read = _of_csv if file.suffix == ".csv" else _of_parquet
        yield from read(file, folder, columns, optional)


def _tables(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ExampleError(f"{folder}: is no folder; correct the path")
    for name in MANIFESTS:
        if (folder / name).is_file():
            return [folder / name]
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise ExampleError(
            f"{folder}: no table; put a {' or '.join(MANIFESTS)} there, or Parquet files"
        )
    return files


def _of_csv(
    file: Path, folder: Path, columns: Sequence[str], optional: Sequence[str]
) -> Iterator[Record]:
    header, rows = read_table(file)
    _check(file, columns, header)
    for row in rows:
        yield Record(f"{file}:{row.line}", row.cells, folder)


def _of_parquet(
    file: Path, folder: Path, columns: Sequence[str], optional: Sequence[str]
) -> Iterator[Record]:
    try:
        with pq.ParquetFile(file) as table:
            names = table.schema_arrow.names
            _check(file, columns, names)
            wanted = [*columns, *(name for name in optional if name in names)]
            number = 0
            for batch in table.iter_batches(_ROWS, columns=wanted):
                for row in batch.to_pylist():
                    yield Record(f"{file}, row {number}", row, folder)
                    number += 1
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ExampleError(f"{file}: cannot be read ({reason}); restore it") from None


def _check(file: Path, columns: Sequence[str], there: Sequence[str]) -> None:
    for column in columns:
        if column not in there:
            raise ExampleError(
                f"{file}: no column {column!r} but {', '.join(there) or 'none at all'}; rename "
                "one, or choose another kind of source"
            )
