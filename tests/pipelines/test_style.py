"""Pipeline `style`: pairs of a world, adapters of one and two stages, distances to the edited."""

import json
from pathlib import Path

import pandas as pd
import pytest

from mitune.example_sets import ExampleError
from mitune.example_sets.restyled import Restyled
from mitune.pipelines.style.arms import STYLE_ARMS
from mitune.pipelines.style.nodes import CONTROL, read_pairs
from mitune.pipelines.style.parameters import Restyle
from tests.example_sets.files import manifest, png
from tests.pipelines.conftest import run

PROMPTS = pd.DataFrame(
    {"prompt_id": ["p", "q"], "category": "color", "prompt": ["a red star", "a blue cross"]}
)


@pytest.fixture(scope="module")
def results(project: Path) -> Path:
    done = run(project, "--pipeline=style", "--params=campaign=style,prompts.train_per_category=2")
    assert done.returncode == 0, done.stderr[-3000:]
    return project / "data/smoke"


def test_every_arm_is_compared_with_the_edited_pictures(results: Path) -> None:
    table = pd.read_csv(results / "08_reporting/style/style.csv")
    names = [arm.name for arm in STYLE_ARMS]
    assert set(table["model"]) == {*names, CONTROL}
    assert set(table["distance"]) == {"frechet", "cmmd", "kid"}
    measured = table[["value", "low", "high"]]
    assert measured.notna().all(axis=None)
    assert (table["low"] <= table["value"]).all() and (table["value"] <= table["high"]).all()
    differences = pd.read_csv(results / "08_reporting/style/style_differences.csv")
    assert len(differences) == 3 * 21
    values = table[table["distance"] == "frechet"].set_index("model")["value"]
    for row in differences[differences["distance"] == "frechet"].itertuples():
        assert row.value == pytest.approx(values[row.first] - values[row.second], abs=1e-6)
    assert (results / "08_reporting/style/style.png").stat().st_size > 10_000


def test_sft_eats_edited_pictures_and_preference_losses_both(results: Path) -> None:
    sets = {
        arm.name: pd.read_parquet(
            results / f"05_model_input/style/{arm.name}/finetuning_set.parquet"
        )
        for arm in STYLE_ARMS
        if arm.trained
    }
    pairs = pd.read_parquet(results / "05_model_input/style/style/examples.parquet")
    winners = set(pairs.loc[pairs["role"] == "winner", "image_index"])
    assert set(sets["style_sft"]["image_index"]) == winners
    assert set(sets["style_dpo"]["role"]) == {"winner", "loser"}
    pd.testing.assert_frame_equal(sets["style_dpo"], sets["style_sft_contrast"])


def test_the_second_stage_goes_on_from_the_first(results: Path) -> None:
    adapters = results / "06_models/style"

    def facts(arm: str) -> dict:
        (file,) = (adapters / arm).rglob("adapter.json")
        return json.loads(file.read_text())

    first = facts("style_sft")
    for arm in ("style_sft_sft", "style_sft_dpo", "style_sft_contrast"):
        assert facts(arm)["previous"]["digest"] == first["digest"]
    assert facts("style_dpo")["previous"]["digest"] == "base"


def test_a_folder_of_pairs_takes_the_place_of_the_world(tmp_path: Path) -> None:
    rows = [{"prompt": "a star", "original": "a.png", "edited": "b.png"}]
    folder = manifest(tmp_path, rows, {"a.png": png(1), "b.png": png(2)})
    settings = Restyle(folder=folder)
    pairs, painted = read_pairs(settings, PROMPTS)
    assert painted["prompt"].tolist() == ["a star"] and settings.files == (folder,)
    assert pairs["where"].tolist()[0].endswith("edited, b.png")


def test_pairs_of_a_world_are_the_same_scenes_twice() -> None:
    pairs, painted = read_pairs(Restyle(world=Restyled(per_prompt=3)), PROMPTS)
    assert len(pairs) == 12 and painted["prompt_id"].nunique() == 2
    assert pairs["picture"].nunique() == 12
    again, _ = read_pairs(Restyle(world=Restyled(per_prompt=3, seed=1)), PROMPTS)
    assert not set(again["picture"]) & set(pairs["picture"])


def test_prompts_of_another_world_are_refused_with_the_way_out() -> None:
    foreign = PROMPTS.assign(prompt="an astronaut riding a horse")
    with pytest.raises(ExampleError, match=r"restyle: .*'astronaut'.*--params=style=FOLDER"):
        read_pairs(Restyle(), foreign)
