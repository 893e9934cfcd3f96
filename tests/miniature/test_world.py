import numpy as np
import pytest

from mitune.miniature.caption import CaptionNoise, corrupt, read, write
from mitune.miniature.description import sample_description
from mitune.miniature.geometry import gap, signed_distance
from mitune.miniature.layout import sample_crowd, sample_scene
from mitune.miniature.prompts import SPLITS, combination, draw_prompts, split_of
from mitune.miniature.render import render
from mitune.miniature.scene import CANVAS, Scene, Thing
from mitune.miniature.vocabulary import CATEGORIES, COLOURS
from mitune.pretraining.tokenizer import build_tokenizer
from tests.conftest import ROOT


@pytest.mark.parametrize("category", CATEGORIES)
def test_captions_are_read_back(category: str) -> None:
    rng = np.random.default_rng(1)
    wordings = set()
    for _ in range(300):
        description = sample_description(category, rng)
        text = write(description, rng)
        assert read(text) == description, text
        wordings.add(text.split()[0])
        noisy = corrupt(description, CaptionNoise(), rng)
        assert read(write(noisy, rng)) == noisy
    assert len(wordings) >= 3


def test_noise_rates_are_what_they_say() -> None:
    rng = np.random.default_rng(0)
    clean = [sample_description("color", rng) for _ in range(4000)]
    noise = CaptionNoise(replaced=0.2, vague=0.1, omitted=0.0, swapped=0.0)
    noisy = [corrupt(d, noise, rng) for d in clean]
    colours = [
        (a.colour, b.colour)
        for x, y in zip(clean, noisy, strict=True)
        for a, b in zip(x.phrases, y.phrases, strict=True)
    ]
    vague = np.mean([after is None for _, after in colours])
    changed = np.mean([after not in (None, before) for before, after in colours])
    assert abs(vague - 0.1) < 0.02
    assert abs(changed - 0.9 * 0.2 * 7 / 8) < 0.02  # a replacement may draw the same colour


def test_an_unknown_word_is_named() -> None:
    with pytest.raises(ValueError, match="'giraffe'"):
        read("a red giraffe")


def test_rendering_is_deterministic_and_paints_the_claimed_colour() -> None:
    thing = Thing("circle", "blue", "plain", 20.0, 40.0, 10.0)
    image = render(Scene((thing,)))
    assert image.shape == (CANVAS, CANVAS, 3)
    assert tuple(image[40, 20]) == COLOURS["blue"]
    assert tuple(image[5, 60]) == (230, 230, 230)
    np.testing.assert_array_equal(image, render(Scene((thing,))))


def test_circle_distance_and_gap_are_exact() -> None:
    a = Thing("circle", "red", "plain", 16.0, 32.0, 10.0)
    b = Thing("circle", "blue", "plain", 48.0, 32.0, 10.0)
    pixel = np.arange(64) + 0.5
    exact = np.hypot(pixel[None, :] - 16, pixel[:, None] - 32) - 9.5
    near = exact < 25  # the table reaches four radii
    np.testing.assert_allclose(signed_distance(a, 64)[near], exact[near], atol=0.1)
    assert abs(gap(a, b) - (32 - 19)) < 0.6


@pytest.mark.parametrize("category", CATEGORIES)
def test_scenes_show_what_they_claim(category: str) -> None:
    rng = np.random.default_rng(2)
    for _ in range(150):
        description = sample_description(category, rng)
        scene = sample_scene(description, rng)
        wanted = sum(p.count or 1 for p in description.phrases)
        assert len(scene.things) == wanted
        for thing in scene.things:
            assert thing.x - 0.5 * thing.radius > 0 and thing.x + 0.5 * thing.radius < CANVAS
        if description.relation == "touching":
            assert abs(gap(*scene.things)) < 1.0
        if description.relation == "front":
            assert scene.things[-1].colour == description.phrases[0].colour
            assert gap(*scene.things) < -3
        if description.relation is None:
            for i, a in enumerate(scene.things):
                for b in scene.things[i + 1 :]:
                    clearance = np.hypot(a.x - b.x, a.y - b.y) - a.radius - b.radius
                    assert clearance >= 3.0


def test_crowds_are_not_empty() -> None:
    rng = np.random.default_rng(0)
    assert all(sample_crowd(rng).things for _ in range(50))


@pytest.mark.parametrize("category", CATEGORIES)
def test_committed_prompts_are_those_of_the_code_and_disjoint(category: str) -> None:
    combinations = {}
    for split in SPLITS:
        file = ROOT / "data/01_raw/prompts/miniature" / f"{category}_{split}.txt"
        lines = file.read_text().splitlines()
        assert lines == draw_prompts(category, split)
        combinations[split] = {combination(read(line)) for line in lines}
        assert all(split_of(read(line)) == split for line in lines)
    assert not combinations["train"] & combinations["test"]
    assert not combinations["train"] & combinations["tuning"]
    assert not combinations["tuning"] & combinations["test"]


def test_tokens_are_numbered_alike_every_time(tmp_path) -> None:
    """Two processes that train together must read captions alike."""
    vocabularies = [build_tokenizer(tmp_path / str(i), 400).get_vocab() for i in range(3)]
    assert vocabularies[0] == vocabularies[1] == vocabularies[2]
    assert len(set(vocabularies[0].values())) == len(vocabularies[0])
