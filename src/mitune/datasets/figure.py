"""Figures as PNG files: saved from matplotlib, read back as bytes, previewed in kedro-viz."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import ImagePreview

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class FigureDataset(AbstractDataset["Figure", bytes]):
    """One PNG."""

    def __init__(
        self, *, filepath: str, dpi: int = 110, metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath = Path(filepath)
        self._dpi = dpi
        self.metadata = metadata

    def load(self) -> bytes:
        """The PNG file's bytes."""
        try:
            return self._filepath.read_bytes()
        except FileNotFoundError:
            raise DatasetError(
                f"{self._filepath}: no figure; rerun the stage that draws it"
            ) from None

    def save(self, data: Figure) -> None:
        """Draw the figure and move it into place."""
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        partial = self._filepath.with_suffix(".partial")
        data.savefig(partial, format="png", dpi=self._dpi)
        os.replace(partial, self._filepath)

    def preview(self) -> ImagePreview:
        """The picture as kedro-viz shows it."""
        return ImagePreview(base64.b64encode(self.load()).decode())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.exists()
