"""Sets through the workflow: what stage `compose` reads, and an adapter trained on pairs."""

import json
import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file

from mitune.backbones import ModelRef
from mitune.candidates import Generation
from mitune.pipeline_registry import register_pipelines
from mitune.pipelines.arms import ARMS
from mitune.pipelines.compose.parameters import Compose
from mitune.pipelines.compose.preflight import check_rows
from mitune.pipelines.compose.wiring import wired
from mitune.pipelines.report.facts import page_facts
from mitune.training.finetuning import Finetuning
from tests.conftest import ROOT
from tests.pipelines.conftest import run

MAKING = "round_1.generate.generate_candidates,round_1.generate.collect_scores"


def _choices(score: str) -> dict[str, Compose]:
    selections = {
        "compose": {"kind": "pairs", "score": score},
        "compose_random_k": {"kind": "random_k"},
        "compose_lowest_k": {"kind": "lowest_k", "score": "path"},
    }
    return {
        name: Compose.model_validate({"selection": selection})
        for name, selection in selections.items()
    }


def _read_by_compose(pipeline) -> dict[str, str]:  # type: ignore[no-untyped-def]
    return {n.name: n.inputs[0] for n in pipeline.nodes if n.name.endswith("compose.compose")}


def test_who_chooses_by_a_metric_reads_measured_candidates() -> None:
    mitune = register_pipelines()["mitune"]
    by_metric = wired(mitune, _choices("judge"))
    assert _read_by_compose(by_metric) == {
        "round_1.compose.compose": "round_1.measurements",
        "round_2.compose.compose": "round_2.measurements",
        "random_k.compose.compose": "round_1.scores",
        "lowest_k.compose.compose": "round_1.scores",
    }
    others = {str(n) for n in mitune.nodes if n.name not in _read_by_compose(mitune)}
    assert others < {str(n) for n in by_metric.nodes}
    assert by_metric.inputs() == mitune.inputs()


def test_who_chooses_by_mi_waits_for_no_metric() -> None:
    mitune = register_pipelines()["mitune"]
    assert wired(mitune, _choices("information")) is mitune
    back = wired(wired(mitune, _choices("judge")), _choices("information"))
    assert {str(n) for n in back.nodes} == {str(n) for n in mitune.nodes}


def test_the_docs_sets_are_what_their_objectives_train_on() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/sets.md").read_text(), re.DOTALL)
    given = [yaml.safe_load(block)["run"]["params"] for block in blocks]
    assert len(given) == 4
    for params in given:
        training = Finetuning.model_validate(params.get("finetune", {}))
        for name in ("compose", "compose_random_k", "compose_lowest_k"):
            if name in params:
                arm = next(arm for arm in ARMS.values() if arm.composition == name)
                check_rows(arm, Compose.model_validate(params[name]), training)


class Trained(NamedTuple):
    data: Path
    chosen: pd.DataFrame
    adapter: Path


@pytest.fixture(scope="module")
def trained(project: Path) -> Trained:
    """Candidates of round 1, pairs of them and an adapter, in a campaign of their own."""
    _run(
        project,
        f"prompts.ingest,{MAKING},round_1.compose.compose,round_1.finetune.train",
        compose={"selection": {"kind": "pairs", "score": "information"}},
        finetune={"objective": {"kind": "diffusion_dpo"}},
    )
    data = project / "data/smoke"
    chosen = pd.read_parquet(data / "05_model_input/sets/round_1/finetuning_set.parquet")
    newest = max((data / "06_models/sets/round_1/adapter").iterdir())
    return Trained(data, chosen, newest / "adapter")


def _run(project: Path, nodes: str, **params: object) -> None:
    found = _tried(project, nodes, **params)
    assert found.returncode == 0, found.stderr[-3000:]


def _tried(project: Path, nodes: str, **params: object):  # type: ignore[no-untyped-def]
    config = project / "sets.yml"
    config.write_text(yaml.safe_dump({"run": {"params": {"campaign": "sets", **params}}}))
    return run(project, f"--nodes={nodes}", f"--config={config}")


def test_an_adapter_is_trained_on_pairs(trained: Trained) -> None:
    assert trained.chosen["role"].tolist() == ["winner", "loser"] * 2
    by_role = trained.chosen.set_index(["example", "role"])["information"].unstack()
    assert (by_role["winner"] > by_role["loser"]).all()
    (weights,) = trained.adapter.glob("*.safetensors")
    ups = [tensor for name, tensor in load_file(weights).items() if "lora.up" in name]
    assert len(ups) > 10 and all(tensor.any() for tensor in ups)


def test_rewards_choose_and_weigh(project: Path, trained: Trained) -> None:
    _run(
        project,
        "round_1.rank.measure_candidates,round_1.compose.compose,round_1.finetune.train,"
        "report.round_1.note_reward",
        compose={"selection": {"kind": "weighted", "score": "clip", "threshold": 0.0, "k": None}},
    )
    chosen = pd.read_parquet(trained.data / "05_model_input/sets/round_1/finetuning_set.parquet")
    measured = pd.read_parquet(trained.data / "04_feature/sets/round_1/measurements.parquet")
    assert sorted(chosen["weight"]) == sorted(measured.loc[measured["clip"] > 0, "clip"])
    reward = trained.data / "08_reporting/sets/round_1/reward_used.json"
    assert json.loads(reward.read_text()) is True


def test_a_set_that_cannot_be_trained_on_stops_before_any_node(
    project: Path, trained: Trained
) -> None:
    dpo = {"objective": {"kind": "diffusion_dpo"}}
    found = _tried(project, "round_1.compose.compose,round_1.finetune.train", finetune=dpo)
    assert found.returncode != 0 and "Traceback" not in found.stderr
    assert "compose.selection.kind is 'top_k', which makes rows Single, but" in found.stderr
    assert "finetune.objective.kind is 'diffusion_dpo'" in found.stderr
    assert "Running node" not in found.stderr


def test_the_page_says_what_chose(model: ModelRef) -> None:
    prompts = pd.DataFrame({"prompt": ["a red star"]})

    def facts(**selection: object) -> dict:
        choice = Compose.model_validate({"selection": selection})
        return page_facts(prompts, model, Generation(), Finetuning(), choice)

    by_mi = facts(kind="top_k", score="information")
    assert by_mi["title"] == "miniature-sd, aligned by its own mutual information"
    assert "(top k by information score, k = 1)" in by_mi["lead"]
    by_metric = facts(kind="weighted", score="clip", threshold=0.5)
    assert by_metric["title"] == "miniature-sd, aligned by clip"
    assert "(weighted by clip score)" in by_metric["lead"]
