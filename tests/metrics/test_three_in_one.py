from pathlib import Path

import pandas as pd
import pytest

from mitune.metrics import MetricError
from mitune.metrics.three_in_one import kind_of, read_kinds, three_in_one

NAMES = {"vqa": "blip", "spatial": "unidet", "clip": "clip"}
# Of the benchmark's own three files.
PROMPTS = {
    "The square book was next to the green notebook.": "spatial",
    "The striped rug was on top of the tiled floor.": "spatial",
    "The fluffy cat is on the left of the soft pillow.": "spatial",
    "The black headphones were next to the green phone.": "spatial",
    "The leather wallet was inside the brown purse.": "action",
    "The smooth white marble statue stood in front of the rough grey wall.": "action",
    "The soft pink pillow leaned against the hard wooden chair.": "action",
    "The striped black and white cat lay next to the soft grey blanket.": "both",
    "The bright yellow sunflower stood tall next to the soft green grass.": "both",
    "The sleek black cat sat on top of the fluffy white pillow.": "both",
    "The yellow cone was suspended in mid-air near the orange pyramid and the green cylinder.":
        "both",
    "a cat next to a dog": "spatial",
    "near the tree": "spatial",
}  # fmt: skip


@pytest.mark.parametrize("prompt", PROMPTS)
def test_kinds_of_prompts(prompt: str) -> None:
    assert kind_of(prompt) == PROMPTS[prompt]


def test_each_kind_has_its_own_mean() -> None:
    """Any number of images a prompt, in any order; a score that does not apply may be missing."""
    spatial, action, both = (
        next(prompt for prompt, kind in PROMPTS.items() if kind == wanted)
        for wanted in ("spatial", "action", "both")
    )
    table = pd.DataFrame(
        {
            "prompt": [both, spatial, action, spatial, action],
            "blip": [0.3, 0.2, 0.4, 0.8, 0.5],
            "unidet": [0.6, 0.4, float("nan"), 0.0, 0.9],
            "clip": [0.9, float("nan"), 0.2, 0.5, float("nan")],
        },
        index=[7, 3, 3, 1, 0],
    )
    found = three_in_one(table, **NAMES)
    assert found.index.equals(table.index)
    assert found.tolist()[:4] == pytest.approx([0.6, 0.3, 0.3, 0.4])
    assert pd.isna(found.iloc[4])


def test_kinds_from_the_benchmarks_files(tmp_path: Path) -> None:
    with pytest.raises(MetricError, match=r"complex_val_spatial\.txt: not found"):
        read_kinds(tmp_path)
    for part in ("spatial", "action", "spatialaction"):
        (tmp_path / f"complex_val_{part}.txt").write_bytes(f"The {part} one.\r\n".encode())
    kinds = read_kinds(tmp_path)
    table = pd.DataFrame(
        {
            "prompt": ["the action one", "The spatialaction one.", "The  spatial one"],
            "blip": [0.0, 0.0, 0.0],
            "unidet": [0.3, 0.3, 0.3],
            "clip": [0.6, 0.6, 0.6],
        }
    )
    assert three_in_one(table, **NAMES, kinds=kinds).tolist() == pytest.approx([0.3, 0.3, 0.15])
    with pytest.raises(MetricError, match="kind of 'a cat' not given"):
        three_in_one(table.assign(prompt="a cat"), **NAMES, kinds=kinds)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(MetricError, match="no column 'unidet'"):
        three_in_one(pd.DataFrame({"prompt": [], "blip": []}), **NAMES)
