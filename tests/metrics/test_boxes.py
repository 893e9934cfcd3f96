import numpy as np
import pytest

from mitune.metrics import MetricError
from mitune.metrics.boxes import Boxes, area, centre, containment, intersection, iou


def box(*sides: float) -> np.ndarray:
    return np.array(sides, float)


def test_overlap_in_closed_form() -> None:
    """Two 10 x 10 boxes that share 5 x 10; with pixels counted in, 11 x 11 that share 6 x 11."""
    a, b = box(0, 0, 10, 10), box(5, 0, 15, 10)
    assert (area(a), intersection(a, b), iou(a, b), containment(a, b)) == (100, 50, 1 / 3, 0.5)
    assert iou(a, b, pixel=1.0) == 66 / (121 + 121 - 66)
    assert containment(a, b, pixel=1.0) == 66 / 121
    assert iou(a, box(20, 20, 30, 30)) == 0 == intersection(a, box(11, 0, 12, 10))
    assert iou(box(1, 1, 1, 5), box(1, 1, 1, 5)) == 0 == containment(box(1, 1, 1, 5), a)
    assert centre(b).tolist() == [10, 5]


def test_overlap_agrees_with_counted_pixels() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        corners = np.sort(rng.integers(0, 20, (2, 2, 2)), axis=1).reshape(2, 4).astype(float)
        painted = np.zeros((2, 20, 20), bool)
        for mask, (left, top, right, bottom) in zip(painted, corners.astype(int), strict=True):
            mask[top : bottom + 1, left : right + 1] = True
        both, either = (painted[0] & painted[1]).sum(), (painted[0] | painted[1]).sum()
        assert iou(*corners, pixel=1.0) == pytest.approx(both / either, abs=1e-12)
        least = painted.sum((1, 2)).min()
        assert containment(*corners, pixel=1.0) == pytest.approx(both / least, abs=1e-12)


def test_the_most_confident_box_comes_first_and_survives() -> None:
    near, far = box(0, 0, 10, 10), box(50, 0, 60, 10)
    boxes = Boxes.ranked(
        [("cat", 0.3, near + 1), ("cat", 0.9, near), ("dog", 0.5, near), ("cat", 0.2, far)]
    )
    assert boxes.labels == ("cat", "dog", "cat", "cat")
    assert boxes.first("dog") == 1 and boxes.first("cow") is None
    kept = boxes.without(lambda a, b: iou(a, b) > 0.5)
    assert kept.labels == ("cat", "dog", "cat") and kept.scores.tolist() == [0.9, 0.5, 0.2]


def test_no_boxes() -> None:
    nothing = Boxes.ranked([])
    assert nothing.xyxy.shape == (0, 4) and nothing.without(lambda a, b: True).labels == ()


def test_boxes_must_agree_in_length() -> None:
    with pytest.raises(MetricError, match="2 labels need"):
        Boxes(("a", "b"), np.zeros(1), np.zeros((2, 4)))
