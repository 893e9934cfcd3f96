import numpy as np
import pandas as pd
import pytest

from mitune.miniature.audit import audit
from mitune.miniature.description import Description, NounPhrase
from mitune.miniature.detector import Detection
from mitune.miniature.judge import Judge, judge_things
from mitune.miniature.vocabulary import CATEGORIES, COLOURS, SHAPES, TEXTURES
from tests.conftest import SHIPPED


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.load(SHIPPED / "miniature-judge" / "judge.safetensors")


@pytest.fixture(scope="module")
def audited(judge: Judge) -> pd.DataFrame:
    """300 pictures a category, one claim broken in half of them."""
    return audit(judge, per_category=300, seed=11)


@pytest.mark.parametrize("category", CATEGORIES)
def test_judge_is_right_on_rendered_scenes_and_on_broken_ones(
    audited: pd.DataFrame, category: str
) -> None:
    rows = audited[audited["category"] == category]
    wrong = rows[~rows["right"]]
    assert rows["right"].mean() >= 0.99, wrong[["prompt", "broken", "score"]].to_string()


def test_every_way_to_break_a_claim_is_seen(audited: pd.DataFrame) -> None:
    by_way = audited.groupby("broken")["right"].agg(["mean", "size"])
    assert set(by_way.index) == {
        "nothing",
        "wrong colour",
        "swapped colours",
        "wrong texture",
        "wrong shape",
        "wrong count",
        "missing object",
        "wrong relation",
        "not in contact",
    }
    assert (by_way["size"] >= 20).all()
    assert (by_way["mean"] >= 0.98).all(), by_way.to_string()


def test_scores_do_not_depend_on_the_batch(judge: Judge) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    prompts = ["a red circle"] * 5
    together = [j.score for j in judge(images, prompts)]
    alone = [judge(images[i : i + 1], prompts[:1])[0].score for i in range(5)]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def _thing(shape: str, colour: str, x: float, y: float, certainty: float = 0.97) -> Detection:
    def spread(value: str, values: tuple[str, ...]) -> tuple[float, ...]:
        rest = (1 - certainty) / (len(values) - 1)
        return tuple(certainty if v == value else rest for v in values)

    return Detection(
        0.99,
        x,
        y,
        10.0,
        spread(shape, SHAPES),
        spread(colour, tuple(COLOURS)),
        spread("plain", TEXTURES),
    )


def test_score_is_the_product_of_the_claims() -> None:
    things = [_thing("circle", "red", 16, 32), _thing("square", "blue", 48, 32)]
    image = np.zeros((64, 64, 3), np.uint8)
    red, blue = NounPhrase("circle", "red"), NounPhrase("square", "blue")
    verdict = judge_things(things, image, Description((red, blue), "left"))
    assert [c.verdict for c in verdict.claims] == pytest.approx([0.97**2, 0.97**2, 1.0])
    assert verdict.score == pytest.approx(0.97**4)
    swapped = judge_things(things, image, Description((red, blue), "right"))
    assert swapped.score == pytest.approx(0, abs=1e-6)


def test_one_thing_cannot_serve_two_phrases() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    twice = Description((NounPhrase("circle", "red"), NounPhrase("circle", "red")))
    assert judge_things([_thing("circle", "red", 16, 32)], image, twice).score == 0


def test_counts_are_exact() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    three = [_thing("star", "red", 10 + 20 * i, 32, 0.999) for i in range(3)]
    for count, expected in ((2, 0.0), (3, 1.0), (4, 0.0)):
        claim = Description((NounPhrase("star", count=count),))
        assert judge_things(three, image, claim).score == pytest.approx(expected, abs=0.01)
