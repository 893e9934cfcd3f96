"""Records of what made each dataset, one JSON file per dataset."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter


@dataclass(frozen=True)
class Ingredients:
    """All that decides a node's outputs: code by module, parameters, inputs by digest."""

    node: str
    code: dict[str, str]
    parameters: dict[str, Any]
    inputs: dict[str, str]

    def digest(self) -> str:
        """One name for all of it."""
        facts = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.sha256(facts.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Record:
    """A dataset as it was written: from what, by which revision, when, and its files' sizes."""

    ingredients: Ingredients
    files: dict[str, int]
    revision: str = "unknown"
    run_id: str = ""
    written: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Digest of what made it."""
        return self.ingredients.digest()


# A file of another shape is no record: what it is of counts as made by nobody knows what.
_RECORD = TypeAdapter(Record)


class Records:
    """A folder of records, by dataset name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, dataset: str) -> Record | None:
        """The record, or None if there is none that can be read."""
        try:
            facts = json.loads(self._path(dataset).read_text())
            return _RECORD.validate_python(facts)
        except (OSError, ValueError, RecursionError):
            return None

    def write(self, dataset: str, record: Record) -> None:
        """Replace the record in one move."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(dataset)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(record), indent=1, default=str))
        os.replace(partial, path)

    def forget(self, dataset: str) -> None:
        """Delete the record: before its dataset is touched, so that a crash leaves it stale."""
        self._path(dataset).unlink(missing_ok=True)

    def _path(self, dataset: str) -> Path:
        return self._folder / f"{dataset}.json"
