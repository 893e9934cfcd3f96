"""What is there to be copied is right: presets, and the blocks of the docs."""

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import CatalogProtocol

from mitune.candidates import Generation
from mitune.metrics import BlipVqa
from mitune.pipelines.arms import METHODS
from mitune.pipelines.compare.parameters import Compare
from mitune.pipelines.compare.preflight import check_methods
from mitune.pipelines.compose.parameters import Compose
from mitune.pipelines.compose.preflight import check_choices
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.studies.parameters import CATEGORIES, STUDIES, Studies
from mitune.pipelines.studies.preflight import check_benches
from mitune.training.finetuning import Finetuning
from tests.conftest import ROOT

PRESETS = {file.stem: file for file in sorted((ROOT / "conf/presets").glob("*.yml"))}
BLOCKS = re.findall(r"```yaml\n(metrics:.*?)```", (ROOT / "docs/metrics.md").read_text(), re.DOTALL)


def _run(name: str) -> dict[str, Any]:
    return yaml.safe_load(PRESETS[name].read_text())["run"]


@pytest.fixture
def catalog(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[CatalogProtocol]:
    """As a run of the preset has it. Reading typed parameters refuses names that do not exist."""
    monkeypatch.chdir(ROOT)
    bootstrap_project(ROOT)
    run = _run(name)
    assert set(run) <= {"env", "pipeline", "params"}
    given = {"env": run.get("env"), "runtime_params": run["params"]}
    with KedroSession.create(ROOT, **given) as session:
        yield session.load_context().catalog


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_names_a_pipeline_and_fields_that_exist(
    name: str, catalog: CatalogProtocol
) -> None:
    run = _run(name)
    assert run["params"]["campaign"] != "main"  # presets keep their results apart
    inputs = {i for i in pipelines[run["pipeline"]].inputs() if i.startswith("params:")}
    for dataset in inputs:
        catalog.load(dataset)
    places = {"campaign", "image_source", "image_source_revision"}
    blocks = {i.removeprefix("params:").partition(".")[0] for i in inputs}
    assert run["params"].keys() - places <= blocks


@pytest.mark.parametrize("name", ["compare_paper", "compare_released"])
def test_the_bench_of_a_preset_can_be_trained(name: str, catalog: CatalogProtocol) -> None:
    parameters = catalog.load("parameters")
    bench = Compare.model_validate(parameters["compare"])
    choices = {
        block: Compose.model_validate(value)
        for block, value in parameters.items()
        if block.startswith("compose")
    }
    arms = [arm for arm in METHODS if arm.name in bench.arms]
    common, metrics = catalog.load("params:finetune"), catalog.load("params:metrics")
    check_methods(arms, bench, choices, Finetuning.model_validate(common), metrics)
    check_choices(choices, Generation.model_validate(catalog.load("params:generate")), metrics)
    assert all(len(bench.methods[arm.name].points(common)) == 1 for arm in arms)


@pytest.mark.parametrize("name", ["studies_paper"])
def test_arms_of_studies_find_their_candidates_and_scores(
    name: str, catalog: CatalogProtocol
) -> None:
    parameters = catalog.load("parameters")
    check_benches(
        {f"params:{block}" for block in (STUDIES, CATEGORIES)},
        lambda kind, block: kind.model_validate(parameters[block]),
    )
    studies = Studies.model_validate(parameters["studies"])
    assert {arm.images for arm in studies.trained.values() if arm.round == 1} >= {30, 50, 100, None}
    assert not any("information" in arm.selection.scores for arm in studies.trained.values())


@pytest.mark.parametrize("name", ["sd21_released", "sdxl_released", "sd35_released"])
def test_the_released_code_runs_in_float32_throughout(name: str, catalog: CatalogProtocol) -> None:
    generate, evaluate, finetune = (
        catalog.load(f"params:{block}") for block in ("generate", "evaluate", "finetune")
    )
    assert {generate.dtype, evaluate.dtype, finetune.dtype} == {"float32"}
    assert evaluate.sampler == ("flow_euler" if name == "sd35_released" else "ddim")
    # Only of Stable Diffusion 2.1 does the code clip nothing.
    assert math.isinf(finetune.optimisation.max_grad_norm) == (name == "sd21_released")


@pytest.mark.parametrize("name", ["t2i_compbench"])
def test_the_papers_metrics_take_the_place_of_the_miniatures(
    name: str, catalog: CatalogProtocol
) -> None:
    scorers = catalog.load("params:metrics").scorers
    given = {key: c for key, c in _run(name)["params"]["metrics"]["scorers"].items() if c}
    assert {key: config.kind for key, config in scorers.items()} == {
        key: config["kind"] for key, config in given.items()
    }
    assert scorers["vqa"].published == "blip_vqa"  # the headline


def test_the_docs_blocks_are_parameters() -> None:
    """Every kind with released weights has a block, and BLIP-VQA one for each size."""
    scorers = [Metrics(**yaml.safe_load(block)["metrics"]).scorers for block in BLOCKS]
    configs = [config for found in scorers for config in found.values()]
    assert {config.kind for config in configs} == {
        "clip_score", "blip_vqa", "hps", "pick_score", "image_reward", "aesthetic",
        "spatial_2d_ovd", "spatial_3d_ovd", "three_in_one",
    }  # fmt: skip
    sizes = {c.provenance["image_size"] for c in configs if isinstance(c, BlipVqa)}
    assert sizes == {"480", "384"}
    of_docs = {c.model_dump_json() for c in configs}
    shown = Metrics(**_run("t2i_compbench")["params"]["metrics"]).scorers.values()
    assert {c.model_dump_json() for c in shown} <= of_docs
