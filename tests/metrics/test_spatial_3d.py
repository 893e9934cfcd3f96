from functools import partial

import numpy as np
import pytest

from mitune.language.relations import Relation
from mitune.metrics.boxes import Boxes
from mitune.metrics.spatial_3d import image_score, object_score, relation_score
from tests.metrics.golden import at_hand, golden

# Nearer to the bottom of the picture, as a floor is; rows are y.
FLOOR = np.repeat(np.arange(480.0)[:, None] / 479, 480, axis=1)


@at_hand
def test_golden_rows() -> None:
    """There depth rises along axis 0, which the official code takes for x."""
    rows = list(golden("3d"))
    assert len(rows) >= 10
    for wording, a, b, score in rows:
        assert wording is not None
        found = relation_score(wording, a, b, FLOOR, official_axes=True)
        assert found == pytest.approx(score, abs=1e-6), (wording, a, b)


# By hand: boxes of 40 x 40 at these corners.
ROWS = [
    ("in front of", (0, 10), (0, 0), 1.0),  # IoU 0.6
    ("in front of", (0, 0), (0, 10), 0.0),
    ("behind", (0, 0), (0, 10), 1.0),
    ("hidden", (0, 0), (0, 10), 1.0),
    ("hidden", (0, 10), (0, 0), 0.0),
    ("in front of", (0, 20), (0, 0), (800 / 2400) / 0.5),
    ("in front of", (0, 60), (0, 0), 0.0),  # apart
    ("in front of", (10, 0), (0, 0), 0.0),  # equally far
]


@pytest.mark.parametrize(("wording", "a", "b", "score"), ROWS)
def test_rows_by_hand(wording: str, a: tuple, b: tuple, score: float) -> None:
    boxes = [np.array([x, y, x + 40, y + 40], float) for x, y in (a, b)]
    assert relation_score(wording, *boxes, FLOOR) == pytest.approx(score, abs=1e-12)
    turned = [box[[1, 0, 3, 2]] for box in boxes]
    assert relation_score(wording, *turned, FLOOR, official_axes=True) == pytest.approx(score)
    assert relation_score(wording, *turned, FLOOR.T) == pytest.approx(score)


def test_swapping_the_objects_or_near_and_far_swaps_the_relation() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(100):
        a, b = np.sort(rng.uniform(0, 30, (2, 2, 2)), axis=1).reshape(2, 4)
        depth = rng.uniform(size=(30, 30))
        front = relation_score("in front of", a, b, depth)
        assert front == pytest.approx(relation_score("behind", b, a, depth))
        assert front == pytest.approx(relation_score("behind", a, b, 1 - depth))
        mirrored = [
            np.array([30 - right, top, 30 - left, bottom]) for left, top, right, bottom in (a, b)
        ]
        assert front == pytest.approx(relation_score("in front of", *mirrored, depth[:, ::-1]))
        hits += front > 0
    assert hits > 10


def test_a_box_thinner_than_a_pixel_or_at_the_rim_has_a_depth() -> None:
    thin = np.array([5.2, 5.2, 5.3, 9.0])
    wide = np.array([5.0, 3.0, 6.0, 9.0])
    assert relation_score("in front of", thin, wide, FLOOR) == pytest.approx(0.1 * 3.8 / 6 / 0.5)
    rim = np.array([479.9, 479.9, 480.0, 480.0])
    assert relation_score("in front of", rim, rim, FLOOR) == 0.0


def test_image_score_has_no_cut() -> None:
    near, far = np.array([0, 10, 40, 50.0]), np.array([0, 0, 40, 40.0])
    boxes = Boxes.ranked([("cat", 0.8, near), ("dog", 0.4, far)])
    score = partial(image_score, depth=FLOOR)
    assert score(boxes, Relation("in front of", "cat", "dog")) == pytest.approx(0.3 + 0.5)
    assert score(boxes, Relation("behind", "cat", "dog")) == pytest.approx(0.3)
    assert score(boxes, Relation("behind", "cat", "cow")) == pytest.approx(0.2)
    assert object_score(boxes, Relation("behind", "ant", "cow")) == 0
