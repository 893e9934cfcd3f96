"""A number is written as what it is, and only some say that a picture is right."""

from typing import get_args

import pytest

from mitune.metrics import JudgeScore, MetricConfig
from mitune.metrics.units import Units

KINDS = get_args(get_args(MetricConfig)[0])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_metric_says_how_to_read_it(kind) -> None:
    assert isinstance(kind.units, Units)
    words = kind.scale
    assert (kind.units.scale == "cosine") == words.startswith("cosine")
    assert (kind.units.scale == "proportion") == (
        words.startswith("probability") or "UniDet" in words
    )


def test_right_is_the_judges_word_alone() -> None:
    assert JudgeScore.units.threshold == 0.5
    assert [kind for kind in KINDS if kind.units.threshold is not None] == [JudgeScore]


def test_numbers_are_written_in_their_units() -> None:
    share, cosine, logit = Units("proportion"), Units("cosine"), Units("logit")
    assert (share.value(0.6849), share.signed(0.1), share.amount(-0.1)) == (
        "68.5 %",
        "+10.0",
        "10.0 points",
    )
    assert (cosine.value(0.3124), cosine.signed(-0.0124), cosine.amount(0.0124)) == (
        "0.312",
        "-0.012",
        "0.012",
    )
    assert logit.value(21.456) == "21.46"
    assert (share.axis("judge"), cosine.axis("clip")) == ("judge, %", "clip")
