"""Adapters that need a metric: who reads it, what counts of it, and the workflow with it."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
import torch
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from safetensors.torch import load_file

from mitune.backbones import AdapterRef, Backbone, ModelRef
from mitune.candidates import latents_of
from mitune.jobs import alone
from mitune.metrics import ClipScore
from mitune.objectives.d3po import D3PO
from mitune.objectives.diff_contrast import DiffContrast
from mitune.objectives.dpok import DPOK
from mitune.pipeline_registry import register_pipelines
from mitune.pipelines.finetune.training import Training
from mitune.pipelines.finetune.wiring import wired
from mitune.pipelines.prompts.parameters import Prompts
from mitune.pipelines.shared.cost import cost_of
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.speed import Speed
from mitune.training.adapter_weights import WEIGHTS, digest
from mitune.training.adapters import AdapterSettings
from mitune.training.features import with_features
from mitune.training.finetuning import Finetuning
from mitune.training.optimisation import Optimisation
from tests.conftest import ROOT, SHIPPED

HALF = (0.5, 0.5, 0.5)
CLIP = ClipScore(path=SHIPPED / "miniature-clip", mean=HALF, std=HALF)
CPU = torch.device("cpu")
TRAIN = "round_1.finetune.train"


def _inputs(pipeline) -> dict[str, list[str]]:  # type: ignore[no-untyped-def]
    return {node.name: node.inputs for node in pipeline.nodes}


@pytest.mark.parametrize("objective", [DPOK(), D3PO(), DiffContrast()], ids=lambda o: o.kind)
def test_who_trains_by_a_metric_reads_metrics_and_nobody_else(objective: object) -> None:
    mitune = register_pipelines()["mitune"]
    plain = {"finetune": Finetuning()}
    settings = Finetuning(objective=objective, optimisation=Optimisation(batch_size=112))
    by_metric = wired(mitune, {"finetune": settings})
    before, after = _inputs(mitune), _inputs(by_metric)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {name for name in before if name.endswith("finetune.train")}
    assert all(after[name] == [*before[name], "params:metrics"] for name in changed)
    assert {n.name: n.tags for n in by_metric.nodes} == {n.name: n.tags for n in mitune.nodes}
    assert wired(mitune, plain) is mitune and wired(by_metric, {"finetune": settings}) is by_metric
    assert _inputs(wired(by_metric, plain)) == before


def test_trajectories_are_counted() -> None:
    """7 steps, trajectories anew at the first, third, fifth and seventh, guided in 5 steps."""
    objective = DPOK(rollouts=6, every=2, steps=5)
    settings = Finetuning(objective=objective, optimisation=Optimisation(steps=7, batch_size=4))
    pipeline = wired(register_pipelines()["mitune"], {"finetune": settings})
    catalog = DataCatalog()
    catalog["params:prompts"] = Prompts(categories=("color",), train_per_category=1)
    catalog["prompt_files"] = ROOT / "data/01_raw/prompts/miniature"
    catalog["params:finetune"] = settings
    for name in ("resources", "metrics"):
        catalog[f"params:{name}"] = {}
    nodes = [node for node in pipeline.nodes if node.name == TRAIN]
    (cost,) = cost_of(nodes, catalog, Speed(1.0, 10.0, 0, 0))
    assert cost.images == 4 * 6
    assert cost.evaluations == 4 * 6 * 5 * 2 + 7 * 4 * 2 and cost.training == 7 * 4 * 2
    assert cost.seconds == cost.evaluations + 10 * cost.training


def _set(prompts: list[str]) -> pd.DataFrame:
    latents = np.random.default_rng(0).normal(size=(len(prompts), 512)).astype(np.float16)
    table = pd.DataFrame({"prompt": prompts, "latent": [row.tobytes() for row in latents]})
    table.attrs = {"latent_shape": [8, 8, 8]}
    return table


def test_features_are_those_whose_cosine_is_the_score(shared_backbone: Backbone) -> None:
    given = _set(["a red star", "a blue square", "a red star"])
    found = with_features(given, shared_backbone, CLIP.load_encoder(CPU))
    pd.testing.assert_frame_equal(found[["prompt", "latent"]], given)
    pictures, prompts = (
        np.stack([np.frombuffer(vector, np.float32) for vector in found[name]])
        for name in ("image_features", "prompt_features")
    )
    scores = CLIP.load(CPU)(shared_backbone.decode(latents_of(given)), given["prompt"].tolist())
    np.testing.assert_allclose((pictures * prompts).sum(1), scores, atol=1e-5)
    assert np.ptp(scores) > 1e-3 and (prompts[0] == prompts[2]).all()


def test_training_for_a_reward_ends_in_the_same_bits_after_an_interruption(
    model: ModelRef, tmp_path: Path
) -> None:
    settings = Finetuning(
        objective=DPOK(rollouts=2, every=2, steps=3, guidance_scale=2.0, hidden=16),
        adapter=AdapterSettings(kind="lora", rank=2, alpha=2),
        optimisation=Optimisation(steps=3, batch_size=2, learning_rate=1e-3),
    )
    resources = Resources(device="cpu", checkpoint_seconds=1e-9)

    def training(scratch: str) -> Training:
        made = Training(
            _set(["a red star", "a blue square"]),
            model,
            AdapterRef(None),
            tmp_path / scratch,
            "key",
            settings,
            resources,
            reward=CLIP.load,
        )
        sent: Training = pickle.loads(pickle.dumps(made))  # as several processes get it
        return sent

    log = list(alone(training("whole"), CPU))
    interrupted = alone(training("resumed"), CPU)
    assert next(interrupted) == log[0]
    interrupted.close()  # type: ignore[attr-defined]
    assert (tmp_path / "resumed/key.pt").exists()
    assert list(alone(training("resumed"), CPU)) == log
    whole, resumed = (digest(tmp_path / name / "key") for name in ("whole", "resumed"))
    assert whole == resumed


def _run(project: Path, nodes: list[str], **params: object) -> None:
    pairs = {"selection": {"kind": "pairs", "score": "information"}}
    given = {"campaign": "rewards", "compose": pairs, **params}
    with KedroSession.create(project, env="smoke", runtime_params=given) as session:
        session.run(node_names=nodes)


@pytest.fixture(scope="module")
def paired(project: Path) -> Iterator[Path]:
    """Pairs of candidates of round 1, in a campaign of their own; this process stands there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        bootstrap_project(project)
        making = ("generate.generate_candidates", "generate.collect_scores", "compose.compose")
        _run(project, ["prompts.ingest", *(f"round_1.{name}" for name in making)])
        yield project


ROLLING = {"reward": "clip", "rollouts": 2, "every": 1, "steps": 3, "guidance_scale": 2.0}
OBJECTIVES = {
    "dpok": ({**ROLLING, "hidden": 8}, True),
    "d3po": ({**ROLLING, "images": 2}, True),
    "diff_contrast": ({"contrast": 2}, False),
}


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_an_adapter_is_trained_by_a_metric(kind: str, paired: Path) -> None:
    settings, reward_used = OBJECTIVES[kind]
    objective = {"kind": kind, **settings}
    nodes = ["round_1.compose.compose", TRAIN, "report.round_1.note_reward"]
    _run(paired, nodes, finetune={"objective": objective})
    smoke = paired / "data/smoke"
    noted = smoke / "08_reporting/rewards/round_1/reward_used.json"
    assert json.loads(noted.read_text()) is reward_used
    weights = max((smoke / "06_models/rewards/round_1/adapter").glob(f"*/adapter/{WEIGHTS}"))
    made = json.loads((weights.parent / "adapter.json").read_text())
    assert made["finetuning"]["objective"]["kind"] == kind
    ups = [tensor for name, tensor in load_file(weights).items() if "lora.up" in name]
    assert len(ups) > 10 and all(tensor.any() for tensor in ups)


def test_an_unknown_reward_stops_before_any_node(paired: Path) -> None:
    with pytest.raises(click.ClickException) as caught:
        _run(paired, [TRAIN], finetune={"objective": {"kind": "dpok"}})
    assert caught.value.message == (
        "finetune.objective.reward is 'image_reward', but metrics.scorers has only judge, clip, "
        "vqa; add it there or choose one of them"
    )
