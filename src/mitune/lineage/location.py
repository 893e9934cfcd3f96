"""Where a dataset is on disk. Kedro keeps this to itself; here alone it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io import AbstractVersionedDataset, DatasetError


def location(dataset: Any) -> Path | None:
    """File or folder that would be loaded; None for what is not there or not on disk."""
    if isinstance(dataset, AbstractVersionedDataset):
        try:
            return Path(dataset._get_load_path())
        except DatasetError:
            return None
    described = dataset._describe() if dataset is not None else {}
    place = described.get("filepath") or described.get("path")
    return Path(place) if place else None


def version_of(dataset: Any) -> str | None:
    """Version that would be loaded; None for what has no versions, or none yet."""
    if not isinstance(dataset, AbstractVersionedDataset):
        return None
    try:
        return dataset.resolve_load_version()
    except DatasetError:
        return None
