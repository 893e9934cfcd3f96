"""A folder or a file, handed on as a path: of input, or of work in progress."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError


class FolderDataset(AbstractDataset[Path, Path]):
    """Not written through the catalog. `create` makes it; otherwise it must be there."""

    def __init__(
        self, *, filepath: str, create: bool = False, metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath = Path(filepath)
        self._create = create
        self.metadata = metadata

    def load(self) -> Path:
        """The path.

        Raises
        ------
        DatasetError
            If it does not exist.
        """
        if self._create:
            self._filepath.mkdir(parents=True, exist_ok=True)
        if not self._filepath.exists():
            raise DatasetError(
                f"{self._filepath}: not found; create it, or correct --params or globals.yml"
            )
        return self._filepath

    def save(self, data: Path) -> None:
        """Input folders are not written."""
        raise DatasetError(f"{self._filepath} is an input; no node may save to it")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._create or self._filepath.exists()
