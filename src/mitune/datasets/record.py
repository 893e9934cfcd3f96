"""Facts that nodes may read, and that may not be there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset


class RecordDataset(AbstractDataset[dict[str, Any], dict[str, Any]]):
    """A JSON object; empty until something is recorded."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        """What has been recorded so far; a broken file counts as nothing."""
        try:
            return dict(json.loads(self._filepath.read_text()))
        except (OSError, ValueError):
            return {}

    def save(self, data: dict[str, Any]) -> None:
        """Replace the record in one move."""
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        partial = self._filepath.with_suffix(".partial")
        partial.write_text(json.dumps(data, indent=1))
        os.replace(partial, self._filepath)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return True
