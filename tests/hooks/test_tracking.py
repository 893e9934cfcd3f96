import logging
from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.io.core import AbstractDataset

from mitune.datasets import FigureDataset
from mitune.hooks.tracking import Tracking, TrackingHooks


class _Kept(AbstractDataset):
    """A dataset with metadata, in memory."""

    def __init__(self, metadata):
        self.metadata = metadata
        self.data = None

    def load(self):
        return self.data

    def save(self, data):
        self.data = data

    def _describe(self):
        return {}


def _hooks(root: Path, **settings) -> TrackingHooks:
    hooks = TrackingHooks()
    hooks._root = root
    hooks._settings = Tracking(**settings)
    return hooks


def _warned(caplog) -> list[str]:
    return [r.message for r in caplog.records if r.name.startswith("mitune")]


def _evaluation(score: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "prompt_id": ["a", "b"],
            "category": ["color", "shape"],
            "image_index": [0, 0],
            "seed": [1, 2],
            "judge": [score, score],
        }
    )


@pytest.mark.slow
def test_rounds_are_children_and_metrics_a_curve_over_rounds(tmp_path: Path) -> None:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient

    figure = FigureDataset(filepath=str(tmp_path / "f.png"), metadata={"mlflow": "figure"})
    figure.save(Figure())
    names = ("base", "round_1", "round_2", "random_k")
    catalog = DataCatalog(
        {f"{n}.evaluation": _Kept({"mlflow": "evaluation"}) for n in names}
        | {"round_1.figure": figure, "round_1.other": _Kept(None)}
    )
    catalog["parameters"] = {"generate": {"steps": 7}}
    hooks = _hooks(tmp_path)
    hooks.before_pipeline_run({"pipeline_name": "mitune", "run_id": "now"}, catalog)
    for i, name in enumerate(names):
        hooks.after_dataset_saved(f"{name}.evaluation", _evaluation(0.1 * i))
    hooks.after_dataset_saved("round_1.figure", None)
    hooks.after_dataset_saved("round_1.other", None)
    hooks.after_pipeline_run()

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("mitune")
    runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"mitune", *names}
    parent = runs["mitune"]
    assert parent.data.params["generate.steps"] == "7"
    assert all(r.info.status == "FINISHED" for r in runs.values())
    assert runs["round_2"].data.tags["mlflow.parentRunId"] == parent.info.run_id
    curve = client.get_metric_history(parent.info.run_id, "test_judge")
    assert [(m.step, round(m.value, 3)) for m in curve] == [(0, 0.0), (1, 0.1), (2, 0.2)]
    assert runs["random_k"].data.metrics["judge_color"] == pytest.approx(0.3)
    files = client.list_artifacts(runs["round_1"].info.run_id, "figures")
    assert [f.path for f in files] == ["figures/f.png"]


def test_a_tracking_failure_warns_and_the_run_goes_on(tmp_path: Path, caplog) -> None:
    (tmp_path / "mlflow.db").mkdir()  # a database that cannot be opened
    hooks = _hooks(tmp_path)
    catalog = DataCatalog({"base.evaluation": _Kept({"mlflow": "evaluation"})})
    with caplog.at_level(logging.WARNING):
        hooks.before_pipeline_run({"pipeline_name": "mitune"}, catalog)
        hooks.after_dataset_saved("base.evaluation", _evaluation(0.5))
        hooks.after_pipeline_run()
    assert any("tracking off" in r.message for r in caplog.records)


@pytest.mark.slow
def test_names_that_mlflow_refuses_are_cleaned_and_runs_end_whatever_fails(
    tmp_path: Path, caplog
) -> None:
    from mlflow import MlflowClient

    catalog = DataCatalog(
        {n: _Kept({"mlflow": "evaluation"}) for n in ("base.evaluation", "round_1.evaluation")}
    )
    catalog["parameters"] = {"metrics": {"a&b": 1}}
    hooks = _hooks(tmp_path)
    hooks.before_pipeline_run({"pipeline_name": "mitune", "run_id": "now"}, catalog)
    table = _evaluation(0.25).replace({"category": {"color": "Food & Beverage"}})
    hooks.after_dataset_saved("base.evaluation", table)
    assert not _warned(caplog)
    hooks.after_dataset_saved("round_1.evaluation", table.drop(columns="prompt_id"))
    (warned,) = _warned(caplog)
    assert warned.startswith("tracking off for this run (KeyError: ")
    hooks.after_dataset_saved("round_1.evaluation", table)  # is not tracked any more
    hooks.after_pipeline_run()

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("mitune")
    runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
    assert runs["base"].data.metrics["judge_Food _ Beverage"] == 0.25
    assert runs["mitune"].data.params["metrics.a_b"] == "1"
    assert {run.info.status for run in runs.values()} == {"FAILED"}
    assert "judge" not in runs["round_1"].data.metrics


@pytest.mark.slow
def test_a_copied_project_does_not_write_into_the_old_one(tmp_path: Path, caplog) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    catalog = DataCatalog({"base.evaluation": _Kept({"mlflow": "evaluation"})})
    first = _hooks(old)
    first.before_pipeline_run({"pipeline_name": "mitune"}, catalog)
    first.after_pipeline_run()
    old.rename(new)
    hooks = _hooks(new)
    hooks.before_pipeline_run({"pipeline_name": "mitune"}, catalog)
    (warned,) = _warned(caplog)
    assert f"experiment 'mitune' keeps its artifacts in {old.as_uri()}/mlartifacts" in warned
    assert "name another experiment, or move the database away" in warned
    hooks.after_dataset_saved("base.evaluation", _evaluation(0.5))
    hooks.after_pipeline_run()
    assert not old.exists()


def test_disabled_tracking_imports_nothing(tmp_path: Path) -> None:
    hooks = _hooks(tmp_path, enabled=False)
    hooks.before_pipeline_run({}, DataCatalog())
    hooks.after_dataset_saved("x", None)
    hooks.after_pipeline_run()
    assert not (tmp_path / "mlflow.db").exists()
