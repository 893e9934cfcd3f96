"""Features of pictures by name of embedder: a folder with one npz each.

Not exported by the package: what imports only shards must not depend on the code of metrics.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from mitune.metrics.features import Features, Moments, load_statistics, save_statistics


class FeaturesDataset(AbstractDataset[dict[str, Features], dict[str, Features | Moments]]):
    """Saving replaces what is in the folder; each file carries the provenance of its embedder."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, Features | Moments]:
        """Everything in the folder. Raises DatasetError if there is nothing."""
        files = sorted(self._folder.glob("*.npz"))
        if not files:
            raise DatasetError(f"{self._folder}: no features; rerun the node that makes them")
        return {file.stem: load_statistics(file) for file in files}

    def save(self, data: dict[str, Features]) -> None:
        """Write all, then remove what is left of before."""
        for name, features in data.items():
            save_statistics(self._folder / f"{name}.npz", features)
        for file in self._folder.glob("*.npz"):
            if file.stem not in data:
                file.unlink()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._folder)}

    def _exists(self) -> bool:
        return any(self._folder.glob("*.npz"))
