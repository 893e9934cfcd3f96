"""`kedro run` as a user types it, in the smoke environment."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from diffusers import DiffusionPipeline

from tests.conftest import ROOT
from tests.pipelines.conftest import kedro, run


def _reporting(project: Path) -> Path:
    return project / "data/smoke/08_reporting/main"


def test_the_main_job_runs_to_the_report(project: Path, finished) -> None:
    assert finished.returncode == 0, finished.stderr[-3000:]
    page = (_reporting(project) / "report.html").read_text()
    for label in ("base", "MI-TUNE R=1", "MI-TUNE R=2", "random k", "lowest MI"):
        assert label in page
    assert 'src="data:image/png;base64,' in page and "http" not in page.split("</style>")[1]
    headline = json.loads(next(_reporting(project).glob("headline.json/*/*")).read_text())
    assert headline["base.judge"]["images"] == 4
    assert "round_2 - random_k.judge" in headline
    assert "No metric was used to choose or to train" in page
    first_screen = page.split("<h2>")[0]
    for text in ("On judge, MI-TUNE R=2", "against random k", "judge over guidance"):
        assert text in first_screen
    curve = pd.read_csv(_reporting(project) / "guidance_curve.csv")
    assert list(curve["model"]) == 2 * ["base"] + 2 * ["round_1"] + 2 * ["round_2"]
    assert set(curve["scale"]) == {1.0, 3.0} and set(curve["images"]) == {2}
    assert curve["value"].between(curve["low"], curve["high"]).all()
    timings = json.loads((_reporting(project) / "run_record.json").read_text())["timings"]
    assert "round_2.finetune.train" in timings


def test_models_are_compared_on_the_same_seeds(project: Path, finished) -> None:
    folder = project / "data/smoke/07_model_output/main"
    tables = {p.parts[-4]: pd.read_parquet(p) for p in folder.glob("*/*/*/evaluation.parquet")}
    assert set(tables) == {"base", "round_1", "round_2", "random_k", "lowest_k"}
    seeds = [list(t.sort_values(["prompt_id", "image_index"])["seed"]) for t in tables.values()]
    assert all(s == seeds[0] for s in seeds)


def test_rounds_use_new_seeds_and_the_adapter_of_the_round_before(project: Path, finished) -> None:
    folder = project / "data/smoke/04_feature/main"
    one, two = (pd.read_parquet(folder / f"round_{r}/scores.parquet") for r in (1, 2))
    assert not set(one["seed"]) & set(two["seed"])
    shard = pd.read_parquet(next((folder / "round_2/candidates").glob("*.parquet")))
    adapter = next((project / "data/smoke/06_models/main/round_1").glob("adapter/*/adapter/*.json"))
    assert shard.attrs["made_by"]["adapter"] == json.loads(adapter.read_text())["digest"]


def test_a_stage_runs_alone_and_generates_nothing_twice(project: Path, finished) -> None:
    folder = project / "data/smoke/04_feature/main/round_1/candidates"
    shards = sorted(folder.glob("*.parquet"))
    shards[0].write_bytes(shards[0].read_bytes()[:100])  # truncated by a crash
    before = {p: p.stat().st_mtime_ns for p in shards}
    scores = pd.read_parquet(folder.parent / "scores.parquet")
    again = run(project, "--namespaces=round_1.generate")
    assert again.returncode == 0, again.stderr[-3000:]
    changed = [p for p in shards if p.stat().st_mtime_ns != before[p]]
    assert changed == [shards[0]]
    pd.testing.assert_frame_equal(pd.read_parquet(folder.parent / "scores.parquet"), scores)


@pytest.mark.slow
def test_the_scorer_study_runs(project: Path, finished) -> None:
    found = run(project, "--pipeline=agreement")
    assert found.returncode == 0, found.stderr[-3000:]
    table = pd.read_csv(_reporting(project) / "study/comparison.csv")
    assert {"path", "forward", "information"} == set(table["estimator"])
    assert set(table["metric"]) == {"judge", "clip", "vqa"}
    races = pd.read_csv(_reporting(project) / "study/races.csv")
    bounded = races[races["rule"].str.startswith("error")]
    assert set(bounded["estimator"]) == {"forward", "information"}  # none on the path
    assert races["evaluations"].between(0, 1).all() and (races["gain_kept"] <= 1 + 1e-9).all()


@pytest.mark.slow
def test_the_miniature_can_be_trained_from_nothing(project: Path) -> None:
    """All stages of the recipe, too short to learn; the folder it leaves is one diffusers loads."""
    found = run(project, "--pipeline=pretrain")
    assert found.returncode == 0, found.stderr[-3000:]
    shipped = project / "data/smoke/06_models"
    pipeline = DiffusionPipeline.from_pretrained(
        shipped / "miniature-sd", torch_dtype=torch.float32
    )
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline("a red star", num_inference_steps=2).images[0].size == (64, 64)
    assert pipeline.scheduler.config.clip_sample is False
    card = (shipped / "miniature-sd/README.md").read_text()
    assert "| numeracy |" in card and (shipped / "miniature-sd/samples.png").exists()


BAD_PROMPTS = {
    "missing": (None, "color_train.txt: not found"),
    "empty": (b"", "color_train.txt: is empty"),
    "blank": (b"a red star\n\na blue star\n", "color_train.txt:2: blank prompt"),
    "duplicated": (b"a red star\na red star\n", "color_train.txt:2: duplicate of line 1"),
    "not utf-8": (b"a red star\n\xff\xfe\n", "color_train.txt:2: not UTF-8"),
    "overlong": (b"a red " + b"big " * 40 + b"star\n", "reads 24; shorten the prompt"),
    "too few": (b"a red star\n", "lower prompts.train_per_category"),
}


@pytest.mark.parametrize("case", BAD_PROMPTS)
def test_bad_prompts_are_one_line(case: str, tmp_path: Path) -> None:
    from mitune.datasets import ModelDataset
    from mitune.errors import UserError
    from mitune.pipelines.prompts.nodes import ingest
    from mitune.pipelines.prompts.parameters import Prompts

    folder = tmp_path / "prompts"
    shutil.copytree(ROOT / "data/01_raw/prompts/miniature", folder)
    content, message = BAD_PROMPTS[case]
    file = folder / "color_train.txt"
    file.unlink() if content is None else file.write_bytes(content)
    count = 3 if case == "too few" else 0
    settings = Prompts(
        categories=("color",), train_per_category=count, tuning_per_category=1, test_per_category=1
    )
    model = ModelDataset(path=str(ROOT / "data/06_models/miniature-sd")).load()
    with pytest.raises(UserError, match=message.split(":")[-1].strip()) as caught:
        ingest(folder, model, settings)
    assert message in str(caught.value) and "\n" not in str(caught.value)


BAD_PARAMETERS = {
    "k over M": ("compose.selection.k=9", "compose.selection.k is 9"),
    "score that is not made": ("compose.selection.score=hps", "generate.scoring makes only"),
    "unknown scorer": ("metrics.scorers.judge.kind=hps", "hps"),
    "unknown preset": ("generate.scoring.path.weights=magic", "magic"),
    "misspelt field": ("finetune.lerning_rate=1", "lerning_rate"),
    "negative": ("generate.steps=-1", "greater than 0"),
    "unknown category": ("prompts.categories=[colour]", "colour_train.txt: not found"),
    "missing metric": ("metrics.scorers.clip.path=nowhere", "nowhere not found"),
}


@pytest.mark.parametrize("case", BAD_PARAMETERS)
def test_bad_parameters_stop_before_any_node(project: Path, case: str) -> None:
    value, message = BAD_PARAMETERS[case]
    found = run(project, "--pipeline=mitune", f"--params={value}")
    assert found.returncode != 0
    assert message in found.stderr + found.stdout
    assert "Running node" not in found.stderr + found.stdout
    assert "Traceback" not in found.stderr


def test_a_slice_checks_what_none_of_its_nodes_reads(project: Path) -> None:
    found = run(project, "--pipeline=compose", "--params=generate.steps=-1")
    assert found.returncode != 0 and "Traceback" not in found.stderr
    assert "parameters, generate.steps: Input should be greater than 0" in found.stderr


def test_a_truncated_model_stops_before_any_node(project: Path, finished) -> None:
    weights = project / "data/06_models/miniature-sd/unet/diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:5000])
    try:
        found = kedro(project, "run", "--env=smoke", "--pipeline=mitune")
    finally:
        weights.write_bytes(whole)
    assert found.returncode != 0 and "Running node" not in found.stderr
    lines = [x for x in found.stderr.splitlines() if "truncated" in x]
    assert len(lines) == 1 and "unet" in lines[0]
    assert "Traceback" not in found.stderr
