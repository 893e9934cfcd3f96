import json
from pathlib import Path

import pandas as pd
import pytest
from pydantic import TypeAdapter

from mitune.prompt_sources import PromptError, SourceConfig
from mitune.prompts import read_splits
from mitune.texts import TextError
from tests.conftest import ROOT

REAL = ROOT.parent / "shared/data/t2i_compbench"
NONE = {"train": 0, "tuning": 0, "test": 0}


def source(kind: str, **fields):
    return TypeAdapter(SourceConfig).validate_python({"kind": kind, **fields})


def texts(found, split: str = "train") -> list[str]:
    return [line.text for line in found[split]]


def test_t2i_compbench_as_published(tmp_path: Path) -> None:
    """CRLF, a repeated line, a tab, a blank, no last newline, and a test prompt in train."""
    (tmp_path / "color_train.txt").write_bytes(
        b"a green bench\r\na red car\r\na red car\r\n\r\na cat\tnote\r\nA blue dog."
    )
    (tmp_path / "color_val.txt").write_bytes(b"a black cup\r\na blue dog\r\n")
    found = source("t2i_compbench").read(tmp_path, ["color"])
    assert texts(found) == ["a green bench", "a red car", "a cat"]
    assert texts(found, "test") == ["a black cup", "a blue dog"]
    assert found["train"][2].line == 5 and found["train"][2].file == "color_train.txt"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not at hand")
def test_the_real_files_have_their_known_counts() -> None:
    """700 and 300 lines each; 21, 15, 5 repeated, and 4 of shape's test prompts in its train."""
    for category, train in (("color", 679), ("shape", 681), ("texture", 695)):
        found = source("t2i_compbench").read(REAL, [category])
        assert (len(found["train"]), len(found["test"])) == (train, 300), category


def test_diffusion_db_streams_and_filters(tmp_path: Path) -> None:
    file = tmp_path / "metadata.parquet"
    pd.DataFrame(
        {
            "prompt": ["a cat", "a dog", "a cat", "rude", "wide", " "],
            "prompt_nsfw": pd.array([0.1, 0.2, 0.1, 0.9, 0.1, 0.1], "float32"),
            "width": pd.array([512, 512, 512, 512, 768, 512], "uint16"),
            "height": pd.array([512] * 6, "uint16"),
        }
    ).to_parquet(file)
    assert texts(source("diffusion_db").read(file, [])) == ["a cat", "a dog"]
    assert texts(source("diffusion_db", size=None).read(file, [])) == ["a cat", "a dog", "wide"]
    (tmp_path / "other.parquet").write_bytes(b"PAR1")
    with pytest.raises(PromptError, match=r"other\.parquet: not DiffusionDB's"):
        source("diffusion_db").read(tmp_path / "other.parquet", [])


def test_hps_styles_are_categories(tmp_path: Path) -> None:
    for style, prompts in (("anime", ["a", "b"]), ("photo", ["c"])):
        (tmp_path / f"{style}.json").write_text(json.dumps(prompts))
    assert texts(source("hps_v2").read(tmp_path, [])) == ["a", "b", "c"]
    assert texts(source("hps_v2").read(tmp_path, ["photo"])) == ["c"]
    with pytest.raises(PromptError, match=r"no category 'paintings'; .* anime, photo"):
        source("hps_v2").read(tmp_path, ["paintings"])
    (tmp_path / "photo.json").write_text('["c",\n oops]')
    with pytest.raises(TextError, match=r"photo\.json:2: not JSON"):
        source("hps_v2").read(tmp_path, [])


def test_quotes_of_parti_prompts_are_text(tmp_path: Path) -> None:
    file = tmp_path / "PartiPrompts.tsv"
    file.write_text(
        'Prompt\tCategory\tChallenge\tNote\n"G I G G L E" painted\tArts\tText\t\n'
        'a "stop" sign\tOutdoor\tText\t\n'
    )
    found = source("parti_prompts").read(file, [])
    assert texts(found) == ['"G I G G L E" painted', 'a "stop" sign']
    assert [line.category for line in found["train"]] == ["Arts", "Outdoor"]


def test_captions_of_a_csv(tmp_path: Path) -> None:
    file = tmp_path / "coco.csv"
    file.write_text('id,caption\n1,"a man, a dog"\n2,a bus\n')
    assert texts(source("csv").read(file, [])) == ["a man, a dog", "a bus"]
    with pytest.raises(PromptError, match="no column 'text' but id, caption"):
        source("csv", column="text").read(file, [])


def _pool(folder: Path, count: int = 30) -> Path:
    file = folder / "mine.txt"
    file.write_text("".join(f"prompt {i}\n" for i in range(count)))
    return file


def test_splits_are_cut_from_a_pool_and_stay_when_they_grow(tmp_path: Path) -> None:
    file = _pool(tmp_path)
    counts = {"train": 5, "tuning": 4, "test": 6}
    small = read_splits(source("text"), file, [], counts, 0)
    assert {split: len(table) for split, table in small.items()} == counts
    assert not set(small["train"].prompt) & set(small["test"].prompt) | (
        set(small["tuning"].prompt) & set(small["test"].prompt)
    )
    large = read_splits(source("text"), file, [], {**counts, "train": 12}, 0)
    assert set(small["train"].prompt) < set(large["train"].prompt)
    assert small["test"].equals(large["test"])
    rest = read_splits(source("text"), file, [], {**counts, "train": 0}, 0)
    assert len(rest["train"]) == 30 - 4 - 6
    assert set(read_splits(source("text"), file, [], counts, 1)["test"].prompt) != set(
        small["test"].prompt
    )


def test_tuning_prompts_come_from_train_never_from_test(tmp_path: Path) -> None:
    for split, count in (("train", 20), ("val", 8)):
        lines = "".join(f"{split} {i}\n" for i in range(count))
        (tmp_path / f"color_{split}.txt").write_text(lines)
    found = read_splits(source("t2i_compbench"), tmp_path, ["color"], {**NONE, "tuning": 5}, 0)
    assert {split: len(table) for split, table in found.items()} == {
        "train": 15, "tuning": 5, "test": 8,
    }  # fmt: skip
    assert found["tuning"].prompt.str.startswith("train").all()


def test_a_pool_without_test_prompts_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"prompts\.test_per_category says how many"):
        read_splits(source("text"), _pool(tmp_path), [], NONE, 0)
    with pytest.raises(PromptError, match=r"30 prompts of mine, 40 asked for"):
        read_splits(source("text"), _pool(tmp_path), [], {**NONE, "test": 40}, 0)
