"""Candidates as one Parquet file per prompt, written atomically as they are made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from kedro.io import AbstractDataset, DatasetError


class Shards(Mapping[str, pd.DataFrame]):
    """Tables by prompt id, read when asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, prompt_id: str) -> pd.DataFrame:
        path = self._folder / f"{prompt_id}.parquet"
        try:
            return pd.read_parquet(path)
        except FileNotFoundError:
            raise KeyError(prompt_id) from None
        except pa.ArrowInvalid:
            raise DatasetError(f"{path}: truncated; delete it and rerun generate") from None

    def __iter__(self) -> Iterator[str]:
        return (path.stem for path in sorted(self._folder.glob("*.parquet")))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class ShardsDataset(AbstractDataset[dict[str, pd.DataFrame], Shards]):
    """Saving adds or replaces the shards given; loading is lazy."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> Shards:
        """All shards in the folder."""
        return Shards(self._folder)

    def save(self, data: dict[str, pd.DataFrame]) -> None:
        """Write each table next to its place, then move it there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for prompt_id, table in data.items():
            path = self._folder / f"{prompt_id}.parquet"
            partial = path.with_suffix(".partial")
            try:
                table.to_parquet(partial, index=False)
                os.replace(partial, path)
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


class ShardKeysDataset(AbstractDataset[None, dict[str, str]]):
    """Which shards are there, and the key of what made each: read from their footers.

    A second name for the folder of a `ShardsDataset`, so that the node that fills it can see what
    is already done. Broken files are left out, and so are made anew.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, str]:
        """{prompt_id: key}; empty if there is nothing yet."""
        keys = {}
        for path in self._folder.glob("*.parquet"):
            try:
                facts = pq.read_schema(path).metadata or {}
                keys[path.stem] = json.loads(facts[b"PANDAS_ATTRS"])["key"]
            except (pa.ArrowInvalid, KeyError, ValueError):
                continue
        return keys

    def save(self, data: None) -> None:
        """Keys are written with the shards."""
        raise DatasetError("shard keys are written with their shards")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._folder)}

    def _exists(self) -> bool:
        return True
