"""Environments of real checkpoints, up to the weights: tiny random models in the hub's layout."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from diffusers import DiffusionPipeline
from huggingface_hub import constants

from tests.conftest import ROOT
from tests.contracts.tiny import build
from tests.pipelines.conftest import kedro_here

ENVIRONMENTS = {"sd21": "sd", "sdxl": "sdxl", "sd35": "sd3"}
SMALL = {
    "prompts.tuning_per_category": 1,
    "generate.images_per_prompt": 3,
    "generate.steps": 4,
    "finetune.optimisation.steps": 1,
    "finetune.optimisation.batch_size": 2,
    "finetune.adapter.rank": 2,
    "evaluate.images_per_prompt": 1,
    "evaluate.steps": 2,
    "resources.executor": "serial",
    "metrics.scorers.clip.path": "data/06_models/miniature-clip",
}


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory) -> Path:
    """Prompts in the layout of T2I-CompBench."""
    folder = tmp_path_factory.mktemp("t2i_compbench")
    for category in ("color", "shape"):
        train = [f"a {c} bowl and a round {t}" for c in ("red", "blue") for t in ("cup", "hat")]
        (folder / f"{category}_train.txt").write_text("\r\n".join(train))
        (folder / f"{category}_val.txt").write_text("a green bench\r\na square clock")
    return folder


@pytest.fixture
def hub(tmp_path: Path, monkeypatch) -> Path:
    """A cache of the hub with nothing in it; there is no connection."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def download(hub: Path, name: str, revision: str, pipeline: DiffusionPipeline) -> None:
    """Put a pipeline where the hub's client keeps what it has downloaded."""
    pipeline.save_pretrained(hub / f"models--{name.replace('/', '--')}" / "snapshots" / revision)


def checkpoint(env: str) -> tuple[str, str]:
    """Hub id and revision of an environment."""
    named = yaml.safe_load((ROOT / f"conf/{env}/globals.yml").read_text())
    return named["model"], named["revision"]


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_without_prompts_or_weights_one_line_says_what_to_do(
    project: Path, benchmark: Path, hub: Path, env: str
) -> None:
    name, revision = checkpoint(env)
    for given, wanted in (
        ([], ("t2i_compbench: not found", "globals.yml")),
        (
            [f"--params=prompt_files={benchmark},prompts.tuning_per_category=1"],
            (f"{name}@{revision}: cannot be read from the hub", "hf auth login"),
        ),
    ):
        done = kedro_here(project, "run", f"--env={env}", "--pipeline=mitune_r1", *given)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        last = done.stderr.strip().splitlines()[-1]
        assert all(words in last for words in wanted), last
        assert "Running node" not in done.stderr


@pytest.mark.slow
def test_another_model_paints_the_candidates(project: Path, benchmark: Path, hub: Path) -> None:
    """As SPRIGHT does: v prediction, its own text encoder, larger pictures."""
    download(hub, *checkpoint("sd21"), build("sd"))
    source = build("sd-v")
    source.unet.register_to_config(sample_size=12)
    revision = "a" * 40  # of digits alone Kedro would make a number
    download(hub, "SPRIGHT-T2I/spright-t2i-sd2", revision, source)
    given = {
        "image_source": "SPRIGHT-T2I/spright-t2i-sd2",
        "image_source_revision": revision,
        "prompt_files": benchmark,
        "campaign": "spright",
        **SMALL,
    }
    parameters = ",".join(f"{name}={value}" for name, value in given.items())
    done = kedro_here(
        project, "run", "--env=sd21", "--pipeline=mitune_r1", f"--params={parameters}"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    shards = list((project / "data/sd21/04_feature/spright/round_1/candidates").glob("*.parquet"))
    tables = [pd.read_parquet(shard) for shard in shards]
    width = 4 * 8 * 8 * 2  # a float16 latent of the model that learns, not of the one that paints
    assert tables and all(len(latent) == width for table in tables for latent in table["latent"])
    assert (project / "data/sd21/08_reporting/spright/report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_a_tiny_checkpoint_runs_to_the_report(
    project: Path, benchmark: Path, hub: Path, env: str
) -> None:
    """By the hub id and the revision of the environment, from the cache of the hub."""
    download(hub, *checkpoint(env), build(ENVIRONMENTS[env]))
    given = {"prompt_files": benchmark, **SMALL}
    parameters = ",".join(f"{name}={value}" for name, value in given.items())
    done = kedro_here(
        project, "run", f"--env={env}", "--pipeline=mitune_r1", f"--params={parameters}"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    summary = pd.read_csv(project / f"data/{env}/08_reporting/main/summary.csv")
    assert set(summary["model"]) == {"base", "random_k", "lowest_k", "round_1"}
    assert set(summary["metric"]) == {"clip"}
    page = (project / f"data/{env}/08_reporting/main/report.html").read_text()
    assert "clip" in page


@pytest.mark.slow
def test_the_miniature_of_a_flow_runs_to_the_report(project: Path) -> None:
    given = {
        **{name: value for name, value in SMALL.items() if not name.startswith("metrics")},
        "prompts.categories": "[color]",
        "prompts.train_per_category": 1,
        "prompts.test_per_category": 1,
    }
    parameters = ",".join(f"{name}={value}" for name, value in given.items())
    done = kedro_here(
        project,
        "run",
        "--env=miniature-sd3",
        "--pipeline=mitune_r1",
        f"--params={parameters}",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    summary = pd.read_csv(project / "data/miniature-sd3/08_reporting/main/summary.csv")
    assert set(summary["model"]) == {"base", "random_k", "lowest_k", "round_1"}
    assert set(summary["metric"]) == {"judge", "clip", "vqa"}
