"""With the miniature's detector the box metrics have weights that mean something."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mitune.metrics import MetricError, Numeracy, Spatial2D
from mitune.metrics.detectors import MiniatureDetector
from mitune.miniature.audit import break_claim
from mitune.miniature.caption import write
from mitune.miniature.description import sample_description
from mitune.miniature.judge import Judge
from mitune.miniature.layout import sample_scene
from mitune.miniature.render import render_all
from mitune.miniature.scene import Scene, Thing
from tests.conftest import SHIPPED

CPU = torch.device("cpu")
PATH = SHIPPED / "miniature-judge" / "judge.safetensors"
DETECTOR = MiniatureDetector(path=PATH)
PICTURES = 140


def _audited(category: str) -> tuple[np.ndarray, list[str], np.ndarray, np.ndarray]:
    """Pictures, prompts, whether the picture is right (every other is), and the judge's verdict."""
    rng = np.random.default_rng(5)
    prompts, scenes = [], []
    for i in range(PICTURES):
        claimed = sample_description(category, rng)
        shown = claimed if i % 2 == 0 else break_claim(claimed, rng)[1]
        prompts.append(write(claimed, rng))
        scenes.append(sample_scene(shown, rng))
    images = render_all(scenes)
    verdicts = np.array([j.score for j in Judge.load(PATH)(images, prompts)])
    return images, prompts, np.arange(PICTURES) % 2 == 0, verdicts


def _auc(score: np.ndarray, right: np.ndarray) -> float:
    above = score[right][:, None] - score[~right][None, :]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def test_spatial_2d_agrees_with_the_judge() -> None:
    images, prompts, right, verdicts = _audited("2d_spatial")
    scores = Spatial2D(detector=DETECTOR).load(CPU)(images, prompts)
    assert scores[right].mean() > 0.9 and (scores[~right] <= 0.5).mean() > 0.95
    assert _auc(scores, right) > 0.97
    assert ((scores > 0.6) == (verdicts > 0.5)).mean() > 0.95
    few = slice(120, 140)  # across the detector's batches
    again = Spatial2D(detector=DETECTOR).load(CPU)(images[few][::-1], prompts[few][::-1])
    np.testing.assert_allclose(again[::-1], scores[few], atol=1e-5)


def test_a_mirrored_picture_fits_the_mirrored_prompt() -> None:
    images, prompts, right, _ = _audited("2d_spatial")
    chosen = [i for i, prompt in enumerate(prompts) if right[i] and "left of" in prompt]
    swapped = [prompts[i].replace("left of", "right of") for i in chosen]
    score = Spatial2D(detector=DETECTOR).load(CPU)
    flipped = np.ascontiguousarray(images[chosen, :, ::-1])
    assert len(chosen) > 5
    assert score(flipped, swapped).mean() > 0.9
    assert score(images[chosen], swapped).max() <= 0.5


def test_numeracy_agrees_with_the_judge() -> None:
    images, prompts, right, verdicts = _audited("numeracy")
    scores = Numeracy(detector=DETECTOR).load(CPU)(images, prompts)
    assert (scores[right] == 1).mean() > 0.95
    assert _auc(scores, right) > 0.97
    assert ((scores == 1) == (verdicts > 0.5)).mean() > 0.95


def test_prompts_without_a_relation_or_a_number_score_nothing() -> None:
    images = np.zeros((2, 64, 64, 3), np.uint8)
    prompts = ["the red circle", "something"]
    assert Spatial2D(detector=DETECTOR).load(CPU)(images, prompts).tolist() == [0, 0]
    assert Numeracy(detector=DETECTOR).load(CPU)(images, prompts).tolist() == [0, 0]


def test_a_word_of_another_world_and_missing_weights_are_one_line(tmp_path: Path) -> None:
    images = np.zeros((1, 64, 64, 3), np.uint8)
    with pytest.raises(MetricError, match="does not know the word 'cat'"):
        Spatial2D(detector=DETECTOR).load(CPU)(images, ["a cat left of a star"])
    with pytest.raises(MetricError, match="detector's weights cannot be read") as caught:
        MiniatureDetector(path=tmp_path / "none").load(CPU)
    assert "\n" not in str(caught.value)


def test_settings_reach_the_score() -> None:
    """36 pixels apart on both axes of 64, where 150 of 479 are 20; one above the other."""
    corners = Scene(
        (
            Thing("circle", "red", "plain", 14, 14, 9),
            Thing("star", "blue", "plain", 50, 50, 9),
        )
    )
    stacked = Scene(
        (
            Thing("circle", "red", "plain", 30, 14, 9),
            Thing("star", "blue", "plain", 32, 50, 9),
        )
    )
    images = render_all([corners, stacked, stacked])
    prompts = ["a circle near a star", "a circle on top of a star", "a blue circle over a star"]
    plain = Spatial2D(detector=DETECTOR).load(CPU)(images, prompts)
    assert plain == pytest.approx([0.5 + 0.5 * 150 / 479 * 64 / 36, 1.0, 1.0], abs=0.02)
    official = Spatial2D(detector=DETECTOR, official_wordings=True).load(CPU)(images, prompts)
    assert official[0] == plain[0] and official[1] <= 0.5 and official[2] == 0
    phrases = Spatial2D(detector=DETECTOR, queries="phrase", near=75.0).load(CPU)(images, prompts)
    assert phrases[0] == pytest.approx(0.5 + 0.25 * 150 / 479 * 64 / 36, abs=0.02)
    assert phrases[2] == 0  # there is a star, but no blue circle
