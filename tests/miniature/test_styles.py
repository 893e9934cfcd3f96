"""Restyled scenes show what their originals show, where they show it."""

from dataclasses import replace

import numpy as np
import pytest

from mitune.miniature.description import sample_description
from mitune.miniature.geometry import signed_distance
from mitune.miniature.layout import sample_scene
from mitune.miniature.render import render
from mitune.miniature.scene import CANVAS, Scene, Thing
from mitune.miniature.styles import restyled
from mitune.miniature.vocabulary import COLOURS

CIRCLE = Thing("circle", "red", "plain", 20.0, 20.0, 14.0)
SQUARE = Thing("square", "blue", "striped", 30.0, 26.0, 14.0)
SCENE = Scene((CIRCLE, SQUARE))


def test_inverted_is_the_scene_in_opposite_colours_and_twice_the_scene() -> None:
    opposite = {}
    for colour in COLOURS:
        (thing,) = scene = (replace(CIRCLE, colour=colour),)
        picture = restyled(Scene(scene), "inverted")
        (opposite[colour],) = (
            other
            for other in COLOURS
            if np.array_equal(picture, render(Scene((replace(thing, colour=other),))))
        )
    assert all(opposite[other] == colour != other for colour, other in opposite.items())
    assert opposite["red"] == "cyan" and opposite["blue"] == "orange"


def test_winter_has_cold_colours_alone() -> None:
    for colour in COLOURS:
        scene = Scene((replace(CIRCLE, colour=colour),))
        pixel = restyled(scene, "winter")[20, 20]
        assert (pixel != render(scene)[20, 20]).any()
        assert pixel[2] > pixel[0] and pixel[2] > pixel[1]  # more blue than anything else
    np.testing.assert_array_equal(restyled(SCENE, "winter")[60, 60], render(SCENE)[60, 60])


def test_an_outline_is_where_the_contour_is_and_what_is_covered_stays_covered() -> None:
    picture = restyled(SCENE, "outline").astype(int)
    square, circle = signed_distance(SQUARE, CANVAS), signed_distance(CIRCLE, CANVAS)
    assert (picture[square < -5] == 255).all()  # neither stripes nor the circle behind it
    assert (picture[(square > 1) & (circle > 1)] == SCENE.ground).all()
    line = (circle < -1) & (circle > -3) & (square > 1)
    assert line.sum() > 50 and (picture[line] == COLOURS["red"]).all()


@pytest.mark.parametrize(("style", "most"), [("outline", 7.0), ("inverted", 2.5), ("winter", 2.5)])
def test_the_miniature_can_carry_it(style: str, most: float, shared_backbone) -> None:
    """Through its autoencoder and back, in levels of 255."""
    rng = np.random.default_rng(0)
    scenes = [sample_scene(sample_description("color", rng), rng) for _ in range(16)]
    pictures = np.stack([restyled(scene, style) for scene in scenes])  # type: ignore[arg-type]
    back = shared_backbone.decode(shared_backbone.encode(pictures))
    assert np.abs(back.astype(int) - pictures).mean() < most
    plain = np.stack([render(scene) for scene in scenes])
    assert np.abs(plain.astype(int) - pictures).mean() > 3
