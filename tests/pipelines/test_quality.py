"""Pipeline `quality` on the finished smoke run."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mitune.datasets.features import FeaturesDataset
from mitune.environments import Environments
from mitune.errors import UserError
from mitune.metrics.pixels import CLIP_MEAN, CLIP_STD
from mitune.pipelines.arms import BASE
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.quality.embed import embed_references
from mitune.pipelines.quality.nodes import compare
from mitune.pipelines.quality.parameters import QualitySettings
from mitune.pipelines.shared.arms import record_arms
from mitune.pipelines.shared.preflight import check_quality
from mitune.pipelines.shared.resources import Resources
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
    pairs = set(zip(wins["other"], wins["model"], strict=True))
    assert pairs == set(combinations(MODELS, 2))
    assert len(wins) == 10 * 3 and set(wins["n"]) == {2}
    assert (wins["rate"] == (wins["wins"] + wins["ties"] / 2) / 2).all()
    assert wins["rate"].between(wins["low"], wins["high"]).all()


def _settings(reference: dict[str, object]) -> QualitySettings:
    embedder = {"kind": "clip", "path": ROOT / "data/06_models/miniature-clip"}
    measure = {"embedder": embedder, "distance": {"kind": "cmmd"}}
    return QualitySettings.model_validate(
        {"reference": reference, "measures": {"one": measure, "two": measure, "dropped": None}}
    )


def test_references_are_embedded_once_and_a_folder_has_no_control(tmp_path: Path) -> None:
    prompts = pd.DataFrame({"prompt_id": ["a", "b"], "prompt": ["a red star", "two circles"]})
    pixels = np.random.default_rng(0).integers(0, 256, (5, 70, 90, 3), np.uint8)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    evaluation = Evaluation(images_per_prompt=2)
    resources = Resources(device="cpu")
    folder = _settings({"kind": "folder", "path": tmp_path})
    (found,) = embed_references(prompts, evaluation, folder, resources).values()
    assert found.vectors.shape == (5, 64) and found.units[0] == "0.png"
    assert tmp_path in folder.files

    dataset = FeaturesDataset(filepath=str(tmp_path / "features"))
    rendered = _settings({"kind": "rendered", "per_prompt": 3})
    dataset.save(embed_references(prompts, evaluation, rendered, resources))
    read = dataset.load()
    assert {name.split("-")[0]: features.n for name, features in read.items()} == {
        "clip": 6,
        "control": 4,
    }
    dataset.save(embed_references(prompts, evaluation, folder, resources))
    dataset._exists = lambda: False  # as `--only-missing-outputs` calls what it makes anew
    assert [features.n for features in dataset.load().values()] == [5]
    changed = rendered.measures["one"].embedder.model_copy(update={"dtype": "float16"})
    other = rendered.measures["one"].model_copy(update={"embedder": changed})
    renamed = rendered.model_copy(update={"measures": {"one": other}})
    with pytest.raises(UserError, match="reference: its pictures were not embedded with clip-"):
        compare((BASE,))(renamed, record_arms((BASE,)), read, read)


def test_missing_references_and_weights_are_found_before_any_node(tmp_path: Path) -> None:
    check_quality(_settings({"kind": "rendered"}))
    with pytest.raises(UserError, match=r"quality.reference.path: .*nowhere is no folder"):
        check_quality(_settings({"kind": "folder", "path": tmp_path / "nowhere"}))
    settings = _settings({"kind": "rendered"})
    absent = settings.measures["two"].embedder.model_copy(update={"path": tmp_path / "nowhere"})
    lost = settings.measures["two"].model_copy(update={"embedder": absent})
    with pytest.raises(UserError, match=r"quality.measures.two.embedder.path: .* not found"):
        check_quality(settings.model_copy(update={"measures": {"two": lost}}))


@pytest.mark.parametrize("env", ["sd21", "sdxl", "sd35"])
def test_real_checkpoints_have_fd_dino_and_cmmd_against_a_folder(env: str) -> None:
    loader = Environments(str(ROOT / "conf"), env=env, **CONFIG_LOADER_ARGS)
    settings = QualitySettings.model_validate(loader["parameters"]["quality"])
    assert set(settings.measures) == {"fd_dino", "cmmd"} and settings.reference.kind == "folder"
    assert {e.kind for e in settings.embedders.values()} == {"dino", "clip"}
    assert all(e.from_hub for e in settings.embedders.values())
    clip = settings.measures["cmmd"].embedder
    assert (clip.mean, clip.std) == (CLIP_MEAN, CLIP_STD)
