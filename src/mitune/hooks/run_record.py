"""What hooks know of a run and the report shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedro.io import CatalogProtocol

_RECORD = "run_record"


def note(catalog: CatalogProtocol, chapter: str, facts: Mapping[str, Any]) -> None:
    """Add `facts` to a chapter of the record, if the catalog keeps one; no hook sees the save."""
    if _RECORD not in catalog:
        return
    dataset: Any = catalog.get(_RECORD)
    record = dataset.load()
    dataset.save({**record, chapter: {**record.get(chapter, {}), **facts}})
