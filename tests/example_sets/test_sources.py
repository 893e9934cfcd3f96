"""Every layout, read row by row; what is wrong with one is named with its file and row."""

import io
import tracemalloc
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from mitune.example_sets import (
    ExampleError,
    LabelledPictures,
    PickAPic,
    PicturePairs,
    StylePairs,
)
from mitune.texts import TextError
from tests.example_sets.files import manifest, pick_a_pic, png

A, B, C = png(1), png(2), png(3)


def test_pick_a_pic_prefers_what_its_labels_say(tmp_path: Path) -> None:
    rows = [("a star", A, B, 1.0, 0.0), ("a star", A, C, 0.0, 1.0), ("a cross", B, C, 0.5, 0.5)]
    first, second = PickAPic(path=pick_a_pic(tmp_path, rows)).read()
    assert (first.pictures["winner"].content, first.pictures["loser"].content) == (A, B)
    assert (second.pictures["winner"].content, second.pictures["loser"].content) == (C, A)
    assert first.where == f"{tmp_path}/train-00000.parquet, row 0"


def test_a_tie_is_kept_if_asked_for_and_equal_pictures_are_one(tmp_path: Path) -> None:
    rows = [
        ("a star", A, B, 0.5, 0.5),
        ("a star", A, A, 1.0, 0.0),
        ("a star", A, B, None, None),
        ("a star", B, A, 0.0, 1.0),
    ]
    folder = pick_a_pic(tmp_path, rows)
    assert [e.label for e in PickAPic(path=folder).read()] == [1.0]
    assert [e.label for e in PickAPic(path=folder, ties="keep").read()] == [0.5, 0.5, 1.0]


def test_files_are_read_in_order_and_never_whole(tmp_path: Path) -> None:
    """Twenty megabytes of pictures pass through half of that."""
    noise = [bytes([number]) * 500_000 for number in range(40)]
    for part in range(2):
        rows = [(f"p {part} {i}", A, noise[20 * part + i], 1.0, 0.0) for i in range(20)]
        folder = pick_a_pic(tmp_path, rows, f"train-{part:05}.parquet")
        file = folder / f"train-{part:05}.parquet"
        pd.read_parquet(file).to_parquet(file, row_group_size=2)
    tracemalloc.start()
    prompts = [example.prompt for example in PickAPic(path=folder).read()]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert prompts == [f"p {part} {i}" for part in range(2) for i in range(20)]
    assert most < 10e6


def test_a_manifest_of_pairs_names_files_or_has_pictures(tmp_path: Path) -> None:
    rows = [{"prompt": "a star", "winner": "in/a.png", "loser": "b.png", "category": "shape"}]
    (example,) = PicturePairs(
        path=manifest(tmp_path / "csv", rows, {"in/a.png": A, "b.png": B})
    ).read()
    assert {role: p.content for role, p in example.pictures.items()} == {"winner": A, "loser": B}
    assert (example.prompt, example.category) == ("a star", "shape")
    folder = tmp_path / "parquet"
    folder.mkdir()
    cells = {"caption": ["a star"], "good": [{"bytes": A, "path": None}], "bad": [B]}
    pd.DataFrame(cells).to_parquet(folder / "manifest.parquet")
    source = PicturePairs(path=folder, prompt="caption", winner="good", loser="bad")
    (same,) = source.read()
    assert {role: p.content for role, p in same.pictures.items()} == {"winner": A, "loser": B}


def test_the_edited_picture_wins(tmp_path: Path) -> None:
    rows = [{"prompt": "a star", "original": "a.png", "edited": "b.png"}]
    (example,) = StylePairs(path=manifest(tmp_path, rows, {"a.png": A, "b.png": B})).read()
    assert {role: p.content for role, p in example.pictures.items()} == {"winner": B, "loser": A}


def test_labels_are_read(tmp_path: Path) -> None:
    rows = [{"prompt": "a star", "image": name, "label": label} for name, label in ("a1", "b0")]
    folder = manifest(tmp_path, rows, {"a": A, "b": B})
    assert [e.label for e in LabelledPictures(path=folder).read()] == [1, 0]


PAIR = {"prompt": "a star", "winner": "a.png", "loser": "b.png"}
WRONG = {
    "no winner": ({**PAIR, "winner": ""}, "manifest.csv:2, winner: no picture; give one"),
    "absent file": ({**PAIR, "winner": "c.png"}, "manifest.csv:2, winner: 'c.png' is not there"),
    "outside": ({**PAIR, "winner": "../a.png"}, "winner: '../a.png' is outside"),
    "no prompt": ({**PAIR, "prompt": " "}, "manifest.csv:2: prompt is empty"),
    "no column": ({"prompt": "a star", "winner": "a.png"}, "no column 'loser' but prompt, winner"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_pair_is_named(case: str, tmp_path: Path) -> None:
    row, message = WRONG[case]
    folder = manifest(tmp_path, [row], {"a.png": A, "b.png": B})
    with pytest.raises(ExampleError, match=message):
        list(PicturePairs(path=folder).read())


def test_labels_that_say_nothing_are_named(tmp_path: Path) -> None:
    folder = pick_a_pic(tmp_path / "pick", [("a star", A, B, 1.0, 1.0)])
    with pytest.raises(ExampleError, match="row 0: label_0 and label_1 are 1 and 1; they must"):
        list(PickAPic(path=folder).read())
    rows = [{"prompt": "a star", "image": "a.png", "label": "good"}]
    with pytest.raises(ExampleError, match=r"manifest.csv:2: label is 'good'; write a number"):
        list(LabelledPictures(path=manifest(tmp_path / "l", rows, {"a.png": A})).read())


def test_a_folder_without_a_table_and_a_broken_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(ExampleError, match="is no folder"):
        list(PickAPic(path=tmp_path / "absent").read())
    with pytest.raises(ExampleError, match=r"no table; put a manifest.csv or"):
        list(PickAPic(path=tmp_path).read())
    (tmp_path / "part.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ExampleError, match=r"part.parquet: cannot be read"):
        list(PickAPic(path=tmp_path).read())
    (tmp_path / "manifest.csv").write_bytes("prompt,winner,loser\nein Stern f\xfcr".encode("latin"))
    with pytest.raises(TextError, match=r"manifest.csv:2: not UTF-8"):
        list(PicturePairs(path=tmp_path).read())


def test_what_no_row_fills_is_not_read(tmp_path: Path) -> None:
    """A row of a CSV file that is too short."""
    folder = manifest(tmp_path, [], {})
    (folder / "manifest.csv").write_text("prompt,winner,loser\na star\n")
    with pytest.raises(TextError, match=r"manifest.csv:2: has 1 cells, the header 3"):
        list(PicturePairs(path=folder).read())


def test_pictures_keep_their_bytes(tmp_path: Path) -> None:
    """JPEGs are not written anew."""
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), (9, 99, 199)).save(stream, "JPEG")
    rows = [("a star", stream.getvalue(), A, 0.0, 1.0)]
    (example,) = PickAPic(path=pick_a_pic(tmp_path, rows)).read()
    assert example.pictures["loser"].content == stream.getvalue()
