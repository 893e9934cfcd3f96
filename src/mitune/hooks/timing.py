"""How long each node took, kept with the results for the report."""

from __future__ import annotations

import time
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

RECORD = "timings"


class TimingHooks:
    """Record the wall time of each node, saving its results included."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}
        self._open: str | None = None
        self._catalog: CatalogProtocol | None = None

    @hook_impl
    def before_node_run(self, node: Node, catalog: CatalogProtocol) -> None:
        """A node ends when the next one starts: only then are all its outputs saved."""
        self._close()
        self._catalog, self._open = catalog, node.name
        self._started[node.name] = time.monotonic()

    @hook_impl
    def after_pipeline_run(self) -> None:
        """The last node has ended."""
        self._close()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """An unfinished node has no time."""
        self._open = None

    def _close(self) -> None:
        if self._open is None or self._catalog is None or RECORD not in self._catalog:
            return
        record: Any = self._catalog.get(RECORD)
        seconds = time.monotonic() - self._started.pop(self._open)
        record.save({**record.load(), self._open: round(seconds, 3)})
        self._open = None
