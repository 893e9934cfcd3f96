"""Several adapters of one node, by name: a folder of adapter folders."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from mitune.datasets.adapter import AdapterDataset
from mitune.references import AdapterRef


class AdaptersDataset(AbstractDataset[dict[str, AdapterRef], dict[str, AdapterRef]]):
    """One folder for each, as `AdapterDataset` keeps it.

    A save leaves none of those before, unless they are to `grow`: then it adds or replaces those
    given, as a node needs that makes one after the other.
    """

    def __init__(
        self, *, filepath: str, grow: bool = False, metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath = Path(filepath)
        self._grow = grow
        self.metadata = metadata

    def load(self) -> dict[str, AdapterRef]:
        """References to the saved adapters.

        Raises
        ------
        DatasetError
            If there is no folder, or an adapter in it is damaged.
        """
        if not self._filepath.is_dir():
            raise DatasetError(f"{self._filepath}: no adapters")
        folders = sorted(folder for folder in self._filepath.iterdir() if folder.is_dir())
        return {folder.name: AdapterDataset(filepath=str(folder)).load() for folder in folders}

    def save(self, data: dict[str, AdapterRef]) -> None:
        """Move the folders of `data` into place."""
        if not self._grow:
            shutil.rmtree(self._filepath, ignore_errors=True)
        self._filepath.mkdir(parents=True, exist_ok=True)
        for name, adapter in data.items():
            AdapterDataset(filepath=str(self._filepath / name)).save(adapter)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_dir()
