"""Restyled scenes show what their originals show, where they show it."""

import numpy as np
import pytest

from mitune.miniature.geometry import signed_distance
from mitune.miniature.render import render
from mitune.miniature.scene import CANVAS, Scene, Thing
from mitune.miniature.styles import restyled

CIRCLE = Thing("circle", "red", "plain", 20.0, 20.0, 12.0)
SQUARE = Thing("square", "blue", "striped", 26.0, 24.0, 12.0)
SCENE = Scene((CIRCLE, SQUARE))


def test_inverted_twice_is_the_picture() -> None:
    np.testing.assert_array_equal(255 - restyled(SCENE, "inverted"), render(SCENE))


def test_an_outline_is_where_the_contour_is_and_what_is_covered_stays_covered() -> None:
    picture = restyled(SCENE, "outline").astype(int)
    inside, on = signed_distance(SQUARE, CANVAS), signed_distance(CIRCLE, CANVAS)
    white = (picture == 255).all(-1)
    assert white[inside < -2.5].all()  # the circle's contour behind it, and the stripes, are gone
    far = (np.abs(inside) > 2.5) & (np.abs(on) > 2.5)
    assert white[far].all()
    line = (np.abs(on) < 0.5) & (inside > 2.5)
    assert line.sum() > 20 and (np.abs(picture[line] - (214, 39, 40)).max(-1) < 3).all()


def test_winter_is_paler_and_colder_and_keeps_the_order_of_brightness() -> None:
    picture, before = restyled(SCENE, "winter").astype(float), render(SCENE).astype(float)

    def luma(pixels: np.ndarray) -> np.ndarray:
        return pixels @ (0.299, 0.587, 0.114)

    colder = (picture[..., 2] - picture[..., 0]).mean() - (before[..., 2] - before[..., 0]).mean()
    assert colder > 10
    assert np.ptp(picture, axis=-1).max() < np.ptp(before, axis=-1).max() / 3 + 36
    # What is left of a colour has its luma, so luma goes through an affine map.
    ice = luma(np.array([214, 232, 250]))
    np.testing.assert_allclose(luma(picture), 0.45 * luma(before) + 0.55 * ice, atol=0.6)


@pytest.mark.parametrize("style", ["outline", "inverted", "winter"])
def test_every_style_is_another_picture(style: str) -> None:
    change = np.abs(restyled(SCENE, style).astype(int) - render(SCENE))  # type: ignore[arg-type]
    assert change.mean() > 10
