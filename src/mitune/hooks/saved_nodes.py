"""When a node is done: Kedro saves its outputs after `after_node_run`, one by one."""

from __future__ import annotations

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node


class SavedNodes:
    """Calls `begin` before a node, and `saved` when the next one starts or the run is over.

    Only then are all its outputs saved. A node that fails, or is cut off, is never `saved`.
    """

    def __init__(self) -> None:
        self._running: Node | None = None

    def begin(self, node: Node, catalog: CatalogProtocol) -> None:
        """The node is about to run."""

    def saved(self, node: Node) -> None:
        """The node has run and all its outputs are saved."""

    @hook_impl
    def before_node_run(self, node: Node, catalog: CatalogProtocol) -> None:
        """The node before is done."""
        self._finish()
        self.begin(node, catalog)
        self._running = node

    @hook_impl
    def after_pipeline_run(self) -> None:
        """The last node is done."""
        self._finish()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """The node that failed is not."""
        self._running = None

    def _finish(self) -> None:
        if self._running is not None:
            self.saved(self._running)
        self._running = None
