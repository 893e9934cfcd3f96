"""Make `--only-missing-outputs` mean missing or stale; record what made each dataset.

A record is deleted before its node writes, and written when the node is done: whatever is
interrupted is stale.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from mitune.hooks.run_record import note
from mitune.hooks.saved_nodes import SavedNodes
from mitune.lineage.plan import Plan, producers
from mitune.lineage.provenance import revision, versions
from mitune.lineage.records import Record, Records

RECORDS = "lineage_records"
logger = logging.getLogger(__name__)


def open_plan(catalog: CatalogProtocol, requested: Iterable[str]) -> Plan:
    """The plan of a session; datasets are made as in the requested pipelines, else as in any."""
    names = [name for name in requested if name in pipelines]
    every = [pipelines[name] for name in [*names, "__default__", *pipelines]]
    return Plan(producers(every), catalog, Records(catalog.load(RECORDS)))


class LineageHooks(SavedNodes):
    """Plan before, record after."""

    def __init__(self) -> None:
        super().__init__()
        self._root = Path()
        self._plan: Plan | None = None
        self._facts: dict[str, Any] = {}

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Remember where the project is."""
        self._root = Path(context.project_path)

    @hook_impl(trylast=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Find stale nodes; let Kedro's filter see their outputs as missing."""
        if RECORDS not in catalog:
            return
        names = run_params.get("pipeline_names") or [run_params.get("pipeline_name")]
        self._plan = plan = open_plan(catalog, [name for name in names if name])
        self._facts = {
            "revision": revision(self._root),
            "run_id": str(run_params.get("run_id") or run_params.get("session_id")),
            "versions": versions(),
        }
        note(catalog, "provenance", self._facts)
        self._warn_of_inputs(plan, pipeline)
        if run_params.get("only_missing_outputs"):
            for node in pipeline.nodes:
                if plan.state(node).status != "fresh":
                    _hide(catalog, node.outputs)

    def begin(self, node: Node, catalog: CatalogProtocol) -> None:
        """The node's outputs are nobody's until it is done."""
        if self._plan:
            for output in node.outputs:
                # A new version takes nothing from the one before.
                if self._plan.record_name(output) == output:
                    self._plan.records.forget(output)

    def saved(self, node: Node) -> None:
        """Record what made the node's outputs."""
        if self._plan is None:
            return
        ingredients = self._plan.actual(node)
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        for output in node.outputs:
            files = self._plan.files(output)
            name = self._plan.record_name(output)
            self._plan.records.write(name, Record(ingredients, files, written=now, **self._facts))

    def _warn_of_inputs(self, plan: Plan, pipeline: Pipeline) -> None:
        for name in sorted(pipeline.inputs()):
            maker = plan.maker(name)
            if maker is None:
                continue
            state = plan.state(maker)
            if state.status == "stale":
                logger.warning(
                    "%s is stale (%s); this run uses it as it is", name, "; ".join(state.reasons)
                )


def _hide(catalog: CatalogProtocol, names: Iterable[str]) -> None:
    """Kedro has no public way to call a dataset out of date: say that it does not exist."""
    for name in names:
        dataset: Any = catalog.get(name)
        dataset._exists = lambda: False
