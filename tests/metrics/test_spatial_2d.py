from functools import partial

import numpy as np
import pytest

from mitune.language.relations import Relation
from mitune.metrics.boxes import Boxes
from mitune.metrics.spatial_2d import (
    OFFICIAL_NEAR,
    WORDINGS,
    image_score,
    official_scale,
    relation_score,
)
from tests.metrics.golden import at_hand, golden

official = partial(relation_score, near=OFFICIAL_NEAR, official_wordings=True)


@at_hand
def test_golden_rows() -> None:
    rows = list(golden("2d"))
    assert len(rows) >= 38
    for wording, a, b, score in rows:
        assert official(wording, a, b) == pytest.approx(score, abs=1e-6), (wording, a, b)


# By hand: boxes of 40 x 40 whose corners are given, in the official frame.
ROWS = [
    ("on the left of", (0, 0), (100, 10), 1.0),
    ("on the left of", (100, 10), (0, 0), 0.0),
    ("on the left of", (0, 0), (10, 100), 0.0),  # more below than beside
    ("on the left of", (0, 0), (100, 100), 0.0),  # exactly between
    ("on the right of", (100, 10), (0, 0), 1.0),
    ("on the top of", (0, 0), (0, 100), 1.0),
    ("on the bottom of", (0, 0), (0, 100), 0.0),
    ("on the bottom of", (10, 100), (0, 0), 1.0),
    ("on the left of", (0, 0), (20, 0), 0.1 * 2400 / 800),  # half covered: IoU 1/3
    ("on the top of", (0, 0), (0, 10), 0.1 * 2000 / 1200),
    ("near", (0, 0), (149, 400), 1.0),  # one axis is enough
    ("near", (0, 0), (150, 150), 1.0),  # at the limit 150 / 150
    ("next to", (0, 0), (200, 300), 0.5),
    ("on side of", (300, 200), (0, 0), 0.5),
    ("on top of", (0, 0), (0, 100), 0.0),
    (None, (0, 0), (0, 0), 0.0),
]


@pytest.mark.parametrize(("wording", "a", "b", "score"), ROWS)
def test_rows_by_hand(wording: str | None, a: tuple, b: tuple, score: float) -> None:
    boxes = (np.array([x, y, x + 40, y + 40], float) for x, y in (a, b))
    assert official(wording, *boxes) == pytest.approx(score, abs=1e-12)


MIRRORED = {
    "on the left of": "on the right of",
    "to the left of": "to the right of",
    "left of": "right of",
}
TURNED = {
    "on the top of": "on the bottom of",
    "above": "below",
    "over": "under",
    "on top of": "underneath",
}


def _flip(box: np.ndarray, axis: int, size: float = 479.0) -> np.ndarray:
    flipped = box.copy()
    flipped[[axis, axis + 2]] = size - box[[axis + 2, axis]]
    return flipped


def test_mirrors_swap_sides_and_change_nothing_else() -> None:
    rng = np.random.default_rng(1)
    score = partial(relation_score, near=OFFICIAL_NEAR)
    scored = set()
    for _ in range(200):
        a, b = np.sort(rng.uniform(0, 479, (2, 2, 2)), axis=1).reshape(2, 4)
        for axis, pairs in ((0, MIRRORED), (1, TURNED)):
            swap = pairs | {other: one for one, other in pairs.items()}
            for wording in WORDINGS:
                here = score(wording, a, b)
                there = score(swap.get(wording, wording), _flip(a, axis), _flip(b, axis))
                assert there == pytest.approx(here, abs=1e-9), (wording, axis)
                scored.add((wording, here == 1))
        for one, other in (MIRRORED | TURNED).items():
            assert score(one, a, b) == pytest.approx(score(other, b, a), abs=1e-12)
            assert not (score(one, a, b) and score(other, a, b))
    assert scored == {(wording, hit) for wording in WORDINGS for hit in (True, False)}


def _picture(*things: tuple[str, float, tuple]) -> Boxes:
    return Boxes.ranked((label, score, np.array(box, float)) for label, score, box in things)


def test_image_score_is_cut_at_one_half() -> None:
    left, right = (0, 0, 40, 40), (200, 0, 240, 40)
    relation = Relation("on the left of", "cat", "dog")
    score = partial(image_score, relation=relation, near=OFFICIAL_NEAR)
    both = (("cat", 0.8, left), ("dog", 0.6, right))
    assert score(_picture(*both)) == pytest.approx(0.25 * 1.4 + 0.5)
    assert score(_picture(("cat", 0.8, right), ("dog", 0.6, left))) == 0  # 0.35
    assert score(_picture(("cat", 1.0, right), ("dog", 1.0, left))) == 0.5
    assert score(_picture(("cat", 1.0, left))) == 0 == score(_picture())
    # The most confident cat counts, wherever it comes in the list.
    assert score(_picture(("cat", 0.3, right), *both)) == score(_picture(*both))
    assert score(_picture(("cat", 0.9, right), *both)) == 0
    one_name = Relation("on the left of", "cat", "cat")
    assert image_score(_picture(("cat", 0.9, left), ("cat", 0.8, right)), one_name, 150.0) == 0


def test_on_top_of_counts_unless_the_official_wordings_are_asked_for() -> None:
    above, below = (0, 0, 40, 40), (0, 100, 40, 140)
    boxes = _picture(("cat", 0.5, above), ("mat", 0.5, below))
    relation = Relation("on top of", "cat", "mat")
    assert image_score(boxes, relation, 150.0) == 0.75
    assert image_score(boxes, relation, 150.0, official_wordings=True) == 0


def test_near_is_measured_in_the_official_frame() -> None:
    """512 -> 479; a wide picture is bound by its longer side, 480."""
    assert official_scale(512, 512) == 479 / 512
    assert official_scale(512, 1024) == 480 / 1024 == official_scale(1024, 512)
    a, b = np.array([0, 0, 40, 40.0]), np.array([300, 300, 340, 340.0])
    for size in (64, 512, 1024):
        scale = official_scale(size, size)
        near = OFFICIAL_NEAR / scale
        assert relation_score("near", a / scale, b / scale, near) == pytest.approx(0.5)
