"""Candidates as one Parquet file per prompt, written atomically as they are made."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from kedro.io import AbstractDataset, DatasetError

from mitune.datasets.shard_file import read_shard, write_shard


@dataclass(frozen=True)
class Manifest:
    """What a shard says of itself, in its footer: written with it, so never out of step.

    `made_by`: the facts of which `key` is the name (model, adapter, settings, digests of code).
    """

    key: str
    rows: int
    columns: tuple[str, ...]
    made_by: dict[str, Any]


class Shards(Mapping[str, pd.DataFrame]):
    """Tables by prompt id, read when asked for."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self.files = files

    def __getitem__(self, prompt_id: str) -> pd.DataFrame:
        path = self.files[prompt_id]
        try:
            return read_shard(path)
        except FileNotFoundError:
            raise KeyError(prompt_id) from None
        except ValueError as error:
            raise DatasetError(
                f"{path}: truncated or changed ({error}); run what makes it again with "
                "--only-missing-outputs, which makes it anew"
            ) from None

    def made_under(self, prompt_id: str, key: str) -> pd.DataFrame | None:
        """The table that was made under `key`; None if there is none as it was written."""
        if not self.count(prompt_id, key):
            return None
        try:
            return read_shard(self.files[prompt_id])
        except (OSError, ValueError):
            return None

    def manifest(self, prompt_id: str) -> Manifest | None:
        """What a shard says of itself; None if there is none, or a broken one."""
        file = self.files.get(prompt_id)
        return manifest_of(file) if file else None

    def count(self, prompt_id: str, key: str) -> int:
        """Rows of a shard that was made under `key`; 0 if there is none, or a broken one."""
        manifest = self.manifest(prompt_id)
        return manifest.rows if manifest and manifest.key == key else 0

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def manifest_of(shard: Path) -> Manifest | None:
    """What a shard says of itself; None if it is not there, broken, or no shard."""
    try:
        footer = pq.read_metadata(shard)
        attrs = json.loads(footer.metadata[b"PANDAS_ATTRS"])
        columns = tuple(footer.schema.to_arrow_schema().names)
        return Manifest(attrs["key"], footer.num_rows, columns, attrs.get("made_by", {}))
    except Exception:  # whichever of the many that pyarrow and json raise
        return None


def is_whole(shard: Path) -> bool:
    """Whether a shard is there as it was written: all of it is read."""
    try:
        read_shard(shard)
    except (OSError, ValueError):
        return False
    return True


def _is_there(shard: Path, path: Path) -> bool:
    """Whether `path` is the file `shard`, or a whole copy of it."""
    if path.exists() and path.samefile(shard):
        return True
    return manifest_of(shard) == manifest_of(path) and is_whole(path)


def shards_in(folder: Path) -> Shards:
    """All that are in a folder now."""
    return Shards({path.stem: path for path in sorted(folder.glob("*.parquet"))})


class ShardsDataset(AbstractDataset[dict[str, pd.DataFrame | Path], Shards]):
    """Saving adds or replaces the shards given; loading is lazy.

    A shard may be given as the file that it is in already, here or elsewhere.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> Shards:
        """All shards in the folder."""
        return shards_in(self._folder)

    def save(self, data: dict[str, pd.DataFrame | Path]) -> None:
        """Write each table next to its place, then move it there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for prompt_id, shard in data.items():
            path = self._folder / f"{prompt_id}.parquet"
            if isinstance(shard, Path) and _is_there(shard, path):
                continue
            partial = path.with_suffix(".partial")
            try:
                if isinstance(shard, Path):
                    shutil.copyfile(shard, partial)
                    os.replace(partial, path)
                else:
                    write_shard(shard, path)
            except OSError as error:
                partial.unlink(missing_ok=True)
                raise DatasetError(
                    f"{path}: cannot be written ({error.strerror}); free some space and run again: "
                    "finished prompts are kept"
                ) from None

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._folder)}

    def _exists(self) -> bool:
        return any(self._folder.glob("*.parquet"))


class FinishedShardsDataset(ShardsDataset):
    """A second name for the folder of a `ShardsDataset`, there even when it is empty.

    The node that fills the folder can so see what is already done without a cycle in the graph.
    """

    def save(self, data: dict[str, pd.DataFrame | Path]) -> None:
        """Shards are written under their own name."""
        raise DatasetError("finished shards are written under the name of their shards")

    def _exists(self) -> bool:
        return True
