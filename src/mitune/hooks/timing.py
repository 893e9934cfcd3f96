"""How long each node took, kept with the results for the report."""

from __future__ import annotations

import time

from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from mitune.hooks.run_record import note
from mitune.hooks.saved_nodes import SavedNodes


class TimingHooks(SavedNodes):
    """Record the wall time of each node, saving its results included."""

    def __init__(self) -> None:
        super().__init__()
        self._started = 0.0
        self._catalog: CatalogProtocol | None = None

    def begin(self, node: Node, catalog: CatalogProtocol) -> None:
        """Start the clock."""
        self._catalog, self._started = catalog, time.monotonic()

    def saved(self, node: Node) -> None:
        """Add the node to the record."""
        if self._catalog is not None:
            note(self._catalog, "timings", {node.name: round(time.monotonic() - self._started, 3)})
