from pathlib import Path

import numpy as np
import pytest
import torch

from mitune.language import open_reader
from mitune.metrics import MetricError, ThreeInOne
from mitune.metrics.three_in_one import kind_of, without_adjectives
from tests.conftest import ROOT

MODELS = ROOT / "data/06_models"

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


# What spaCy's tags leave of the benchmark's prompts, which is what the published CLIP-score is of.
# A reader with understanding would agree on the first five. Of the others spaCy takes "hard" for an
# adverb, "silver" and "orange" for nouns, "next" for an adjective, "matte" for a name.
LEFT = {
    "The red hat was on top of the brown coat rack.": "The hat was on top of the coat rack .",
    "The leather wallet was inside the brown purse.": "The leather wallet was inside the purse .",
    "The bright yellow sunflower stood tall next to the soft green grass.":
        "The sunflower stood next to the grass .",
    "The colorful hot air balloon floated near the dark grey storm clouds.":
        "The air balloon floated near the storm clouds .",
    "a cold, dark cave": "a , cave",
    "The soft pillow was on top of the hard rocking chair.":
        "The pillow was on top of the hard rocking chair .",
    "The silver laptop was on top of the black desk.": "The silver laptop was on top of the desk .",
    "The square coaster was next to the circular glass.": "The coaster was to the glass .",
    "The bright orange pumpkin sat next to the crisp green apples.":
        "The orange pumpkin sat next to the apples .",
    "The golden parallelogram was suspended in mid-air near the matte hexagon and the translucent "
    "oval.": "The parallelogram was suspended in - air near the matte hexagon and the oval .",
    "": "",
}  # fmt: skip


@pytest.mark.parametrize("prompt", LEFT)
def test_adjectives_are_what_spacy_tags_so(prompt: str) -> None:
    assert without_adjectives(open_reader("spacy", "parser")(prompt)) == LEFT[prompt]


def _metric(**options) -> ThreeInOne:
    judge = {"kind": "miniature", "path": MODELS / "miniature-judge/judge.safetensors"}
    clip = {"path": MODELS / "miniature-clip"}
    vqa = {"path": MODELS / "miniature-vqa", "parser": "miniature"}
    settings = {"vqa": vqa, "spatial": {"detector": judge}, "clip": clip, "parser": "miniature"}
    return ThreeInOne(**settings | options)


def test_each_kind_has_its_own_mean() -> None:
    """A spatial prompt, an action and both, in any order, against the parts one by one."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    action = "a red circle beside a blue square"
    spatial = "a red circle on the left of a blue square"
    metric = _metric()
    assert metric.kinds([action, spatial]) == ["action", "spatial"]
    prompts = [spatial, action, spatial, action]
    cpu = torch.device("cpu")
    vqa, relation = (part.load(cpu)(images, prompts) for part in (metric.vqa, metric.spatial))
    clip = metric.clip.load(cpu)(images, ["a circle beside a square"] * 4)
    expected = [(v + (r if i % 2 == 0 else c)) / 2 for i, (v, r, c) in
                enumerate(zip(vqa, relation, clip, strict=True))]  # fmt: skip
    np.testing.assert_allclose(metric.load(cpu)(images, prompts), expected, atol=1e-6)


def test_the_whole_prompt_is_another_metric() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    prompts = ["a red circle beside a blue square"]
    metric, cpu = _metric(adjectives="kept"), torch.device("cpu")
    vqa, clip = (part.load(cpu)(images, prompts) for part in (metric.vqa, metric.clip))
    found = metric.load(cpu)(images, prompts)
    np.testing.assert_allclose(found, (vqa + clip) / 2, atol=1e-6)
    assert abs(found - _metric().load(cpu)(images, prompts)).max() > 1e-3
    assert metric.provenance["adjectives"] == "kept"
    assert metric.parsers == {"vqa.parser": "miniature"}


def test_kinds_from_the_benchmarks_files(tmp_path: Path) -> None:
    metric = _metric(benchmark=tmp_path)
    assert metric.files["benchmark"] == tmp_path and "benchmark" not in _metric().files
    with pytest.raises(MetricError, match=r"complex_val_spatial\.txt: not found"):
        metric.check(["a cat"])
    for part in ("spatial", "action", "spatialaction"):
        (tmp_path / f"complex_val_{part}.txt").write_bytes(f"The {part} one.\r\n".encode())
    prompts = ["the action one", "The spatialaction one.", "The  spatial one"]
    assert metric.kinds(prompts) == ["action", "both", "spatial"]
    with pytest.raises(MetricError, match="'a cat' is in no file"):
        metric.check(["a cat"])
