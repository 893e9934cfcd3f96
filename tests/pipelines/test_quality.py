"""Pipeline `quality` on the finished smoke run."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from PIL import Image

from mitune.metrics.pixels import CLIP_MEAN, CLIP_STD
from mitune.pipelines.quality.parameters import QualitySettings
from mitune.settings import CONFIG_LOADER_ARGS
from tests.conftest import ROOT
from tests.pipelines.conftest import run

MODELS = ["base", "random_k", "lowest_k", "round_1", "round_2"]


def _features(project: Path, name: str, file: str = "clip-*.npz") -> np.lib.npyio.NpzFile:
    folder = project / "data/smoke/07_model_output/main" / name
    return np.load(next(folder.glob(file)))


def _mmd(x: np.ndarray, y: np.ndarray) -> float:
    def mean(a: np.ndarray, b: np.ndarray) -> float:
        return np.exp(-np.square(a[:, None] - b[None]).sum(-1) / 200).mean()

    return 1000 * (mean(x, x) + mean(y, y) - 2 * mean(x, y))


def test_every_model_is_compared_with_rendered_scenes(project: Path, finished) -> None:
    done = run(project, "--pipeline=quality")
    assert done.returncode == 0, done.stderr[-3000:]
    folder = project / "data/smoke/08_reporting/main"
    table = pd.read_csv(folder / "quality.csv")
    assert list(table) == ["model", "distance", "value", "n", "m", "low", "high"]
    assert set(table["distance"]) == {"frechet", "cmmd", "kid"}
    assert set(table["model"]) == {*MODELS, "reference again"} and len(table) == 3 * 6
    assert set(table["n"]) == {4} and set(table["m"]) == {24}
    found = table[table["distance"] == "cmmd"].set_index("model")["value"]
    reference = _features(project, "reference_features")["vectors"]
    for model in MODELS:
        ours = _features(project, f"{model}/features")["vectors"]
        np.testing.assert_allclose(found[model], _mmd(ours, reference), rtol=1e-9)
    assert (folder / "quality.png").stat().st_size > 10_000

    wins = pd.read_csv(folder / "win_rates.csv")
    assert len(wins) == 4 * 2 and set(wins["other"]) == {"base"} and set(wins["n"]) == {2}
    assert (wins["rate"] == (wins["wins"] + wins["ties"] / 2) / 2).all()
    assert wins["rate"].between(wins["low"], wins["high"]).all()


def test_a_folder_of_references_and_one_that_is_not_there(
    project: Path, finished, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 70, 90, 3), np.uint8)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    own = f"campaign=main,quality.reference.kind=folder,quality.reference.path={tmp_path}"
    nodes = "--nodes=quality.embed_references"
    done = run(project, "--pipeline=quality", nodes, f"--params={own}")
    assert done.returncode == 0, done.stderr[-3000:]
    found = _features(project, "reference_features")
    assert found["vectors"].shape == (5, 64) and found["units"][0] == "0.png"
    assert not list((project / "data/smoke/07_model_output/main").glob("*/control-*"))

    done = run(project, "--pipeline=quality", nodes, f"--params={own}/nowhere")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "quality.reference.path" in last and "no folder" in last
    assert "Running node" not in done.stderr


@pytest.mark.parametrize("env", ["sd21", "sdxl", "sd35"])
def test_real_checkpoints_have_fd_dino_and_cmmd_against_a_folder(env: str) -> None:
    loader = OmegaConfigLoader(str(ROOT / "conf"), env=env, **CONFIG_LOADER_ARGS)
    settings = QualitySettings.model_validate(loader["parameters"]["quality"])
    assert set(settings.measures) == {"fd_dino", "cmmd"} and settings.reference.kind == "folder"
    assert {e.kind for e in settings.embedders.values()} == {"dino", "clip"}
    assert all(e.from_hub for e in settings.embedders.values())
    clip = settings.measures["cmmd"].embedder
    assert (clip.mean, clip.std) == (CLIP_MEAN, CLIP_STD)
