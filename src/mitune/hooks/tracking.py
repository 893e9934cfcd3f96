"""MLflow tracking over catalog metadata: nodes never know of it.

One parent run per `kedro run`, a child per arm; evaluation metrics go to the child, and those of
an arm on the curve over rounds to the parent with step = round. What a dataset is to tracking is
its `metadata.mlflow`: `evaluation`, `training`, `figure`, `artifact` or `adapter`.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.framework.hooks import hook_impl
from pydantic import BaseModel, ConfigDict, ValidationError

from mitune.errors import UserError
from mitune.hooks.telling import fields
from mitune.lineage.flat import flat
from mitune.lineage.location import location
from mitune.lineage.provenance import revision
from mitune.pipelines.arms import ARMS

logger = logging.getLogger(__name__)
_PATIENCE = 10.0  # seconds that another process may hold the database
_DIGEST = "adapter.digest"
_REFUSED = re.compile(r"[^\w.\- :]")
_LONGEST = 250  # characters of a name
_KIND = {"mlflow.experimentKind": "custom_model_development"}  # the UI opens on training runs


class Tracking(BaseModel):
    """`conf/*/mlflow.yml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    tracking_uri: str = "sqlite:///mlflow.db"
    artifacts: str = "mlartifacts"
    experiment: str = "mitune"
    registered_model: str = "mitune-adapter"


class TrackingHooks:
    """Mirror a run in MLflow. A tracking failure warns once and the run goes on."""

    def __init__(self) -> None:
        self._settings = Tracking(enabled=False)
        self._root = Path()
        self._client: Any = None
        self._parent: str | None = None
        self._off = False
        self._children: dict[str, str] = {}
        self._experiment = ""
        self._campaign = "main"

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Read the settings; nothing is imported or opened yet."""
        self._root = Path(context.project_path)
        try:
            self._settings = Tracking.model_validate(context.config_loader["mlflow"])
        except ValidationError as error:
            raise UserError(fields("mlflow.yml, ", error)) from None

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], catalog: Any) -> None:
        """Open the parent run."""
        if self._settings.enabled:
            self._safely(lambda: self._open(run_params, catalog))

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """Mirror what the catalog says should be."""
        if self._parent and not self._off:
            self._safely(lambda: self._mirror(dataset_name, data))

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Close all runs."""
        self._close("FINISHED")

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Close all runs as failed."""
        self._close("FAILED")

    def _safely(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # a lost record must never cost a computed result
            reason = (str(error).splitlines() or [""])[0]
            logger.warning(
                "tracking off for this run (%s: %s); results are not affected",
                type(error).__name__,
                reason,
            )
            self._off = True  # its runs are closed all the same

    def _open(self, run_params: dict[str, Any], catalog: Any) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Param

        uri = self._settings.tracking_uri
        if uri.startswith("sqlite:///") and not uri.startswith("sqlite:////"):
            database = self._root / uri.removeprefix("sqlite:///")
            uri = f"sqlite:///{database}"
            _check_writable(database)
        self._catalog, self._off = catalog, False
        self._client = MlflowClient(tracking_uri=uri)
        self._experiment = self._experiment_id()
        tags = {
            "mlflow.runName": _run_name(run_params),
            "kedro.run_id": str(run_params.get("run_id") or run_params.get("session_id")),
            "kedro.env": str(run_params.get("env") or "base"),
            "git.commit": revision(self._root),
            "campaign": str((run_params.get("runtime_params") or {}).get("campaign", "main")),
        }
        self._campaign = tags["campaign"]
        if "base_model" in catalog:
            tags["model.digest"] = catalog.load("base_model").digest
        self._parent = self._client.create_run(self._experiment, tags=tags).info.run_id
        self._children = {}
        parameters = catalog.load("parameters") if "parameters" in catalog else {}
        params = [
            Param(_name(key), str(value)[:500]) for key, value in flat("", parameters).items()
        ]
        for start in range(0, len(params), 100):  # MLflow's limit
            self._client.log_batch(self._parent, params=params[start : start + 100])

    def _experiment_id(self) -> str:
        name = self._settings.experiment
        found = self._client.get_experiment_by_name(name)
        location = (self._root / self._settings.artifacts).as_uri()
        if found:
            _check_location(name, str(found.artifact_location), location)
            return str(found.experiment_id)
        return str(self._client.create_experiment(name, artifact_location=location, tags=_KIND))

    def _mirror(self, dataset_name: str, data: Any) -> None:
        dataset = self._catalog.get(dataset_name)
        kind = (getattr(dataset, "metadata", None) or {}).get("mlflow")
        if kind is None:
            return
        namespace, _, short = dataset_name.rpartition(".")
        run = self._run_of(namespace) if namespace else self._parent
        if kind == "evaluation":
            self._log_evaluation(run, namespace, data)
        elif kind == "training":
            self._log_training(run, data)
        elif kind == "adapter":
            self._log_adapter(run, namespace, dataset)
        else:
            path = location(dataset)
            self._client.log_artifact(run, str(path), "figures" if kind == "figure" else short)

    def _run_of(self, namespace: str) -> str:
        if namespace not in self._children:
            tags = {"mlflow.runName": namespace, "mlflow.parentRunId": str(self._parent)}
            if namespace in ARMS:
                tags["arm.label"] = ARMS[namespace].label
            run = self._client.create_run(self._experiment, tags=tags)
            self._children[namespace] = run.info.run_id
        return self._children[namespace]

    def _log_evaluation(self, run: str | None, namespace: str, table: pd.DataFrame) -> None:
        step = ARMS[namespace].round if namespace in ARMS else None
        scores = table.drop(columns=["image_index", "seed"]).select_dtypes("number")
        model = self._logged_model(namespace)
        for metric in map(str, scores):
            mean = float(table.groupby("prompt_id")[metric].mean().mean())
            self._client.log_metric(run, metric, mean, model_id=model)
            if step is not None:
                self._client.log_metric(self._parent, f"test_{metric}", mean, step=step)
            for category, rows in table.groupby("category"):
                name = _name(f"{metric}_{category}")
                self._client.log_metric(run, name, float(rows[metric].mean()))

    def _log_training(self, run: str | None, log: pd.DataFrame) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(name, float(row[name]), 0, int(row["index"]))
            for row in log.to_dict("records")
            for name in log.columns.drop(["index", "learning_rate", "seconds"], errors="ignore")
        ]
        for start in range(0, len(metrics), 900):
            self._client.log_batch(run, metrics=metrics[start : start + 900])

    def _log_adapter(self, run: str | None, namespace: str, dataset: Any) -> None:
        import mlflow

        base = self._catalog.load("base_model")
        adapter = self._catalog.load(f"{namespace}.adapter")
        name = self._settings.registered_model
        if self._campaign != "main":
            name = f"{name}-{self._campaign}"
        mlflow.set_tracking_uri(self._client.tracking_uri)
        with mlflow.start_run(run_id=run):
            logged = mlflow.diffusers.log_model(
                adapter.path,
                base_model=base.path,
                name=f"adapter_{namespace}",
                registered_model_name=name,
                pip_requirements=["diffusers", "peft", "torch", "transformers"],
                tags={_DIGEST: adapter.digest, "model.digest": base.digest},
            )
        version = logged.registered_model_version
        self._client.set_registered_model_alias(name, namespace, str(version))

    def _logged_model(self, namespace: str) -> str | None:
        """The model that an evaluation is of, though an earlier run may have logged it."""
        name = f"{namespace}.adapter"
        if name not in self._catalog or not self._catalog.exists(name):
            return None  # the base model
        digest = self._catalog.load(name).digest
        found = self._client.search_logged_models(
            [self._experiment], filter_string=f"tags.`{_DIGEST}` = '{digest}'", max_results=1
        )
        return found[0].model_id if found else None

    def _close(self, status: str) -> None:
        if not self._parent:
            return
        runs = [*self._children.values(), self._parent]
        if self._off:
            status = "FAILED"  # of its record, not of what it computed
        for run in runs:
            self._safely(lambda run=run: self._client.set_terminated(run, status))  # type: ignore[misc]
        self._parent = None


def _name(text: str) -> str:
    """As MLflow lets metrics and parameters be called: of `Food & Beverage`, `Food _ Beverage`."""
    return _REFUSED.sub("_", text)[:_LONGEST]


def _check_location(name: str, kept: str, wanted: str) -> None:
    """A project that was copied with its database would write into the folder of the other.

    Raises
    ------
    UserError
        Naming both places.
    """
    if kept.startswith("file:") and kept.rstrip("/") != wanted.rstrip("/"):
        raise UserError(
            f"mlflow.yml: experiment {name!r} keeps its artifacts in {kept}, not in {wanted}; "
            "name another experiment, or move the database away"
        )


def _check_writable(database: Path) -> None:
    """Find a locked or broken database now: MLflow itself would try for minutes."""
    with closing(sqlite3.connect(database, timeout=_PATIENCE)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.rollback()


def _run_name(run_params: dict[str, Any]) -> str:
    """The pipelines, and the part of them that was asked for."""
    names = run_params.get("pipeline_names") or [run_params.get("pipeline_name")]
    parts = [*(run_params.get("namespaces") or []), *(run_params.get("node_names") or [])]
    name = " ".join(str(n) for n in names if n and n != "__default__") or "mitune"
    return f"{name}: {', '.join(parts)}" if parts else name
