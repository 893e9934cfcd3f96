"""Wiring: names, catalog, rounds, and parameters refused before any node runs."""

import pytest
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import MemoryDataset

from mitune.lineage.source_code import computing
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def project():
    bootstrap_project(ROOT)
    return dict(pipelines)


@pytest.fixture(scope="module")
def catalog(project):
    with KedroSession.create(ROOT, env="smoke") as session:
        yield session.load_context().catalog


def test_every_stage_and_composite_is_registered(project) -> None:
    assert set(project) >= {
        "__default__", "mitune", "mitune_r1", "mitune_r2", "mitune_r3", "prompts", "generate",
        "rank", "compose", "finetune", "evaluate", "report", "controls", "agreement", "pretrain",
        "score", "quality", "guidance_grid", "guidance_curve", "merge",
    }  # fmt: skip
    assert project["__default__"] == project["mitune"] == project["mitune_r2"]


@pytest.mark.parametrize(
    "name",
    [
        "mitune_r3",
        "agreement",
        "pretrain",
        "score",
        "quality_r3",
        "guidance_grid",
        "guidance_curve",
        "merge",
        "survey_metrics",
        "survey_methods_r3",
        "survey_analysis",
    ],
)
def test_every_dataset_is_kept(project, catalog, name: str) -> None:
    """An unmatched name would silently stay in memory."""
    for dataset in project[name].datasets():
        if dataset.startswith("params:") or dataset == "parameters":
            assert dataset in catalog, dataset
        else:
            assert not isinstance(catalog.get(dataset), MemoryDataset), dataset


def test_rounds_are_chained_through_their_adapters(project) -> None:
    nodes = {node.name: node for node in project["mitune_r3"].nodes}
    assert "base_adapter" in nodes["round_1.generate.generate_candidates"].inputs
    for r in (2, 3):
        assert f"round_{r - 1}.adapter" in nodes[f"round_{r}.generate.generate_candidates"].inputs
        assert f"round_{r - 1}.adapter" in nodes[f"round_{r}.finetune.train"].inputs
        assert f"round_{r}.adapter" in nodes[f"round_{r}.evaluate.evaluate"].inputs


def test_controls_choose_from_the_same_candidates(project) -> None:
    nodes = {node.name: node for node in project["mitune"].nodes}
    for control in ("random_k", "lowest_k"):
        assert nodes[f"{control}.compose.compose"].inputs == [
            "round_1.scores",
            f"params:compose_{control}",
        ]
        train = nodes[f"{control}.finetune.train"]
        assert "round_1.candidates" in train.inputs and "params:finetune" in train.inputs


def test_nothing_that_chooses_or_trains_sees_a_metric(project) -> None:
    for node in project["mitune"].nodes:
        if node.tags & {"generate", "compose", "finetune"}:
            assert "params:metrics" not in node.inputs
            assert not any("measurements" in name for name in node.inputs)


def test_images_do_not_depend_on_the_code_of_a_metric(project) -> None:
    """A new metric must not make them stale."""
    for node in project["mitune"].nodes:
        if node.tags & {"generate", "compose", "finetune"} or "test_images" in node.name:
            code = computing((), node.func.__module__)
            assert not any(module.startswith("mitune.metrics") for module in code), node.name


def test_a_stage_is_every_round_of_it(project) -> None:
    names = {node.name for node in project["finetune"].nodes}
    assert names == {
        f"{name}.finetune.{node}"
        for name in ("round_1", "round_2", "random_k", "lowest_k")
        for node in ("train", "draw_training")
    }
