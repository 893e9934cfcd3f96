import numpy as np
import pytest

from mitune.metrics.boxes import Boxes
from mitune.metrics.numeracy import counted, image_score, is_duplicate
from tests.metrics.golden import at_hand, golden


@at_hand
def test_golden_rows() -> None:
    rows = list(golden("numeracy_dup"))
    assert len(rows) >= 4
    for _, a, b, score in rows:
        assert is_duplicate(a, b) == is_duplicate(b, a) == bool(score), (a, b)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ((0, 0, 99, 99), (0, 0, 99, 99), True),
        ((0, 0, 99, 99), (0, 0, 99, 90), True),  # inside; IoU 0.91
        ((0, 0, 99, 99), (40, 40, 59, 59), True),  # inside; IoU 0.04
        ((0, 0, 99, 99), (2, 0, 101, 99), True),  # IoU 98 / 102
        ((0, 0, 99, 99), (10, 0, 109, 99), False),  # exactly 0.9 covered
        ((0, 0, 99, 99), (9, 0, 108, 99), True),  # 0.91 covered
        ((0, 0, 99, 99), (100, 0, 199, 99), False),
    ],
)
def test_duplicates_by_hand(a: tuple, b: tuple, same: bool) -> None:
    assert is_duplicate(np.array(a, float), np.array(b, float)) is same


SENTENCES = {
    "two boys": {"person": 2},
    "seven women": {"person": 7},
    "eight peaches": {"peach": 8},
    "four goldfish": {"fish": 4},
    "seven shrimp": {"shrimp": 7},
    "four ships and four horses sailed into the sunset": {"boat": 4, "horse": 4},
    "three paintings and one knife": {"picture": 3, "knife": 1},
    "one tent and three fish": {"tent": 1, "fish": 3},
    "six fish swam in the aquarium": {"fish": 6},
    "seven strawberries were ripe for picking": {"strawberry": 7},
    "two trucks unloaded their cargo": {"truck": 2},
    "six people gathered for a picnic": {"person": 6},
    "three camels shared a burger": {"camel": 3},
    "one kite flew alongside three strawberries": {"kite": 1, "strawberry": 3},
    "one helmet and two airplanes soared through the sky": {"helmet": 1, "airplane": 2},
    "three desks were covered with two butterflies": {"desk": 3, "butterfly": 2},
    "four chairs and one giraffe provided seating at the zoo": {"chair": 4, "giraffe": 1},
    "two fish, three desks, three horses, two couches and four ducks": {
        "fish": 2, "desk": 3, "horse": 3, "couch": 2, "duck": 4,
    },
    "three bananas, two bees, an egg, a painting, and a goldfish adorned the room": {
        "banana": 3, "bee": 2, "egg": 1, "picture": 1, "fish": 1,
    },
    "a chicken, four birds, and four microphones sang a lively tune": {
        "chicken": 1, "bird": 4, "microphone": 4,
    },
    "a picture of two red circles and one blue cross": {"red circle": 2, "blue cross": 1},
    "two striped squares, a red apple and three sports cars": {
        "striped square": 2, "red apple": 1, "sports car": 3,
    },
    "two boys and three girls": {"person": 5},
    "a group of eight cats": {"cat": 8},
    "the cats": {},
    "nine cats": {},
    "two": {},
    "": {},
}  # fmt: skip


@pytest.mark.parametrize("prompt", SENTENCES)
def test_what_a_prompt_counts(prompt: str) -> None:
    assert counted(prompt) == SENTENCES[prompt]
    assert list(counted(prompt.upper())) == list(SENTENCES[prompt])


def test_single_nouns_are_added_up() -> None:
    assert counted("two red circles and one blue circle", nouns=True) == {"circle": 3}


def _things(**numbers: int) -> Boxes:
    """So many boxes of each label, side by side."""
    labels = [label.replace("_", " ") for label, n in numbers.items() for _ in range(n)]
    return Boxes.ranked(
        (label, 0.9, np.array([20.0 * i, 0, 20.0 * i + 10, 10])) for i, label in enumerate(labels)
    )


@pytest.mark.parametrize(
    ("found", "wanted", "score"),
    [
        ({"cat": 2}, {"cat": 2}, 1.0),
        ({"cat": 3}, {"cat": 2}, 0.5),
        ({"dog": 2}, {"cat": 2}, 0.0),
        ({"cat": 2, "dog": 1}, {"cat": 2, "dog": 2}, 0.75),
        ({"cat": 2}, {"cat": 2, "dog": 1}, 0.5),
        ({"cat": 1, "dog": 1}, {"cat": 1, "dog": 1, "cow": 1, "pig": 1}, 0.5),
        ({"dining_table": 2}, {"table": 2}, 1.0),
        ({"dining_table": 1, "table": 2}, {"table": 2}, 1.0),  # the exact name goes first
        ({"cat": 1}, {}, 0.0),
    ],
)
def test_image_score(found: dict, wanted: dict, score: float) -> None:
    assert image_score(_things(**found), wanted) == pytest.approx(score)


def test_duplicates_count_once_within_a_label() -> None:
    here = np.array([0.0, 0, 100, 100])
    boxes = Boxes.ranked([("cat", 0.9, here), ("cat", 0.8, here + 1), ("dog", 0.7, here)])
    assert image_score(boxes, {"cat": 1, "dog": 1}) == 1.0
