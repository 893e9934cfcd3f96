"""Pipeline `edit` on the finished smoke run: every model edits the same pictures."""

from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest

from mitune.example_sets import ExampleError
from mitune.example_sets.edits import AttributeEdits, InstructPix2PixSamples
from mitune.metrics import JudgeScore
from mitune.metrics.base import MetricError
from mitune.pipelines.edit.nodes import read_edits
from mitune.pipelines.edit.parameters import Edits
from mitune.pipelines.shared.metrics import Metrics
from tests.conftest import SHIPPED
from tests.example_sets.files import png
from tests.pipelines.conftest import run

MODELS = ["base", "random_k", "lowest_k", "round_1", "round_2"]
METRICS = Metrics(scorers={"judge": JudgeScore(path=SHIPPED / "miniature-judge/judge.safetensors")})
PROMPTS = pd.DataFrame(
    {
        "prompt_id": ["p", "q"],
        "category": "color",
        "prompt": ["a red star and a blue cross", "three red circles"],
    }
)


def test_every_pair_of_models_is_compared(project: Path, finished) -> None:
    assert finished.returncode == 0, finished.stderr[-3000:]
    done = run(project, "--pipeline=edit")
    assert done.returncode == 0, done.stderr[-3000:]
    folder = project / "data/smoke"
    wins = pd.read_csv(folder / "08_reporting/main/edit_wins.csv")
    assert set(zip(wins["other"], wins["model"], strict=True)) == set(combinations(MODELS, 2))
    assert {"judge", "clip", "vqa", "edited", "kept", "done"} == set(wins["metric"])
    assert (wins["wins"] + wins["ties"] + wins["losses"] == wins["n"]).all()
    table = pd.read_csv(folder / "08_reporting/main/edits.csv")
    assert set(table["model"]) == set(MODELS) and {"low", "high", "difference_low"} <= set(table)
    scores = {
        arm: pd.read_parquet(folder / f"07_model_output/main/{arm}/edit_scores.parquet")
        for arm in ("base", "round_1")
    }
    assert scores["base"]["seed"].tolist() == scores["round_1"]["seed"].tolist()
    shards = {
        arm: pd.concat(
            map(pd.read_parquet, sorted((folder / f"07_model_output/main/{arm}/edited").glob("*")))
        )
        for arm in scores
    }
    assert (shards["base"]["png"] != shards["round_1"]["png"]).any()


def test_edits_of_the_miniature_are_of_prompts_that_can_be_edited() -> None:
    table = read_edits(Edits(source=AttributeEdits(per_prompt=3)), PROMPTS, METRICS)
    assert table["prompt_id"].tolist() == ["p_0", "p_1", "p_2"]
    assert table["instruction"].str.startswith("make the ").all()
    with pytest.raises(ExampleError, match="no prompt has an attribute that can be changed alone"):
        read_edits(Edits(), PROMPTS.tail(1), METRICS)


def _samples(folder: Path, edits: int = 2) -> Path:
    """As the library datasets writes the 1,000 samples."""
    rows = {
        "input_image": [{"bytes": png(n), "path": None} for n in range(edits)],
        "edit_prompt": [f"make it {n}" for n in range(edits)],
        "edited_image": [{"bytes": png(10 + n), "path": None} for n in range(edits)],
    }
    table = pd.DataFrame(rows)
    pd.concat([table, table.head(1)]).to_parquet(folder / "train-00000-of-00001.parquet")
    return folder


def test_the_thousand_samples_are_read_once_each(tmp_path: Path) -> None:
    (first, second) = InstructPix2PixSamples(path=_samples(tmp_path)).read(PROMPTS)
    assert first.instruction == first.caption == "make it 0" and first.scene is None
    assert first.picture.content == png(0) and second.output.content == png(11)
    assert first.name != second.name


def test_texts_that_a_metric_cannot_read_are_refused_before_a_model(tmp_path: Path) -> None:
    settings = Edits(source=InstructPix2PixSamples(path=_samples(tmp_path)))
    assert settings.files == (tmp_path,)
    with pytest.raises(MetricError, match=r"judge: .*'make'.*leave it out"):
        read_edits(settings, PROMPTS, METRICS)
