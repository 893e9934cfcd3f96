from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro_datasets.pandas import CSVDataset
from pydantic import BaseModel, Field

from mitune.datasets import FolderDataset, RecordDataset
from mitune.hooks.lineage import LineageHooks
from mitune.lineage.plan import Plan, producers
from mitune.lineage.records import Records


class Settings(BaseModel):
    factor: int = 2
    batch_size: int = Field(default=4, exclude=True)


def double(table: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    return table * settings.factor


def add(table: pd.DataFrame, notes: dict) -> pd.DataFrame:
    return table + 1


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(
        [
            Node(double, ["raw", "params:settings"], "middle", name="double"),
            Node(add, ["middle", "notes"], "last", name="add"),
        ]
    )


class Project:
    """Two nodes on disk, run through Kedro's own runner with the hooks."""

    def __init__(self, folder: Path, pipeline: Pipeline) -> None:
        self.folder, self.pipeline = folder, pipeline
        (folder / "raw.csv").write_text("x\n1\n2\n")
        self.settings = Settings()

    def catalog(self) -> DataCatalog:
        def csv(name: str) -> CSVDataset:
            return CSVDataset(filepath=str(self.folder / f"{name}.csv"), save_args={"index": False})

        notes = RecordDataset(
            filepath=str(self.folder / "notes.json"), metadata={"lineage": "ignored"}
        )
        records = FolderDataset(filepath=str(self.folder / "records"), create=True)
        catalog = DataCatalog(
            {n: csv(n) for n in ("raw", "middle", "last")}
            | {"notes": notes, "lineage_records": records}
        )
        catalog["params:settings"] = self.settings
        return catalog

    def status(self) -> dict[str, str]:
        plan = self.plan(self.catalog())
        return {node.name: plan.state(node).status for node in self.pipeline.nodes}

    def reasons(self, node: str) -> str:
        plan = self.plan(self.catalog())
        (found,) = (n for n in self.pipeline.nodes if n.name == node)
        return "; ".join(plan.state(found).reasons)

    def plan(self, catalog: DataCatalog) -> Plan:
        return Plan(producers([self.pipeline]), catalog, Records(self.folder / "records"))

    def run(self, monkeypatch, only_missing: bool = True, crash_in: str = "") -> list[str]:
        """Names of the nodes that ran."""
        from kedro.framework.hooks.manager import _create_hook_manager
        from kedro.runner import SequentialRunner

        from mitune.hooks import lineage

        catalog = self.catalog()
        monkeypatch.setattr(lineage, "pipelines", {"__default__": self.pipeline})
        ran: list[str] = []

        class Watch:
            from kedro.framework.hooks import hook_impl

            @hook_impl(trylast=True)
            def before_node_run(self, node) -> None:
                if node.name == crash_in:
                    raise KeyboardInterrupt  # nothing is cleaned up
                ran.append(node.name)

        hooks = _create_hook_manager()
        for plugin in (LineageHooks(), Watch()):
            hooks.register(plugin)
        arguments = {
            "run_params": {"run_id": "now", "only_missing_outputs": only_missing},
            "pipeline": self.pipeline,
            "catalog": catalog,
        }
        hooks.hook.before_pipeline_run(**arguments)
        try:
            SequentialRunner().run(
                self.pipeline, catalog, hooks, "now", only_missing_outputs=only_missing
            )
        except KeyboardInterrupt:
            return ran
        hooks.hook.after_pipeline_run(**arguments, run_result={})
        return ran


@pytest.fixture
def project(tmp_path: Path, pipeline: Pipeline) -> Project:
    return Project(tmp_path, pipeline)


@pytest.fixture
def ready(project: Project, monkeypatch) -> Project:
    assert project.status() == {"double": "missing", "add": "missing"}
    assert project.run(monkeypatch) == ["double", "add"]
    assert project.status() == {"double": "fresh", "add": "fresh"}
    return project


def test_nothing_changed_nothing_runs(ready: Project, monkeypatch) -> None:
    (ready.folder / "notes.json").write_text('{"read": "but ignored"}')
    ready.settings = Settings(batch_size=99)
    assert ready.run(monkeypatch) == []


def test_a_parameter_makes_all_that_follows_stale_and_says_why(ready: Project, monkeypatch) -> None:
    ready.settings = Settings(factor=3)
    assert ready.status() == {"double": "stale", "add": "stale"}
    assert ready.reasons("double") == "params:settings.factor 2 → 3"
    assert ready.reasons("add") == "input middle"
    ready.settings = Settings()  # reverted: fresh again, nothing to do
    assert ready.run(monkeypatch) == []
    ready.settings = Settings(factor=3)
    assert ready.run(monkeypatch) == ["double", "add"]
    assert (ready.folder / "last.csv").read_text() == "x\n4\n7\n"


def test_an_input_file_counts_by_content(ready: Project, monkeypatch) -> None:
    (ready.folder / "raw.csv").touch()
    assert ready.run(monkeypatch) == []
    (ready.folder / "raw.csv").write_text("x\n5\n")
    assert ready.run(monkeypatch) == ["double", "add"]


def test_a_deleted_or_truncated_output_is_made_again_alone(ready: Project, monkeypatch) -> None:
    for damage in (lambda p: p.unlink(), lambda p: p.write_bytes(p.read_bytes()[:2])):
        damage(ready.folder / "middle.csv")
        assert ready.status() == {"double": "missing", "add": "fresh"}
        assert ready.run(monkeypatch) == ["double"]


def test_an_interrupted_node_is_stale_even_if_the_change_is_taken_back(
    ready: Project, monkeypatch
) -> None:
    before = ready.settings
    ready.settings = Settings(factor=3)
    assert ready.run(monkeypatch, crash_in="add") == ["double"]
    ready.settings = before
    assert ready.status() == {"double": "stale", "add": "stale"}
    assert ready.run(monkeypatch) == ["double", "add"]
    assert (ready.folder / "last.csv").read_text() == "x\n3\n5\n"


def test_a_run_on_stale_inputs_is_not_fresh_afterwards(ready: Project, monkeypatch, caplog) -> None:
    ready.settings = Settings(factor=3)
    whole, ready.pipeline = ready.pipeline, ready.pipeline.only_nodes("add")
    from mitune.hooks import lineage

    monkeypatch.setattr(lineage, "producers", lambda pipelines: producers([*pipelines, whole]))
    assert ready.run(monkeypatch, only_missing=False) == ["add"]
    assert "middle is stale (params:settings.factor 2 → 3)" in caplog.text
    ready.pipeline = whole
    assert ready.status() == {"double": "stale", "add": "stale"}
