"""Win rates against known intervals, and tables that do not belong together."""

import math

import pandas as pd
import pytest

from mitune.metrics import MetricError
from mitune.metrics.win_rate import win_rate


def table(scores: list[float], images: int = 1) -> pd.DataFrame:
    rows = [(f"p{i // images}", i % images, 100 + i, s) for i, s in enumerate(scores)]
    return pd.DataFrame(rows, columns=["prompt_id", "image_index", "seed", "hps"])


def test_known_wilson_intervals() -> None:
    """350 of 500 by eq. 4 of Brown, Cai and DasGupta (2001), and 0 of 10, z^2 / (n + z^2)."""
    found = win_rate(table([1.0] * 350 + [0.0] * 150), table([0.5] * 500), "hps")
    assert (found.rate, found.n, found.wins, found.ties, found.losses) == (0.7, 500, 350, 0, 150)
    z = 1.959964
    middle, reach = 0.7 + z**2 / 1000, z * math.sqrt(0.7 * 0.3 / 500 + z**2 / 4 / 500**2)
    ends = ((middle + sign * reach) / (1 + z**2 / 500) for sign in (-1, 1))
    assert (found.low, found.high) == pytest.approx(tuple(ends), abs=1e-7)
    none = win_rate(table([0.0] * 10), table([1.0] * 10), "hps")
    assert none.low == 0 and none.high == pytest.approx(z**2 / (10 + z**2))


def test_a_tie_is_one_half_and_the_interval_is_rounded_outwards() -> None:
    found = win_rate(table([1.0, 1.0, 0.5, 0.0]), table([0.5] * 4), "hps")
    assert (found.rate, found.wins, found.ties, found.losses) == (2.5 / 4, 2, 1, 1)
    two = win_rate(table([1.0, 1.0, 0.0, 0.0]), table([0.5] * 4), "hps")
    three = win_rate(table([1.0, 1.0, 1.0, 0.0]), table([0.5] * 4), "hps")
    assert (found.low, found.high) == (two.low, three.high)
    same = win_rate(table([0.3, 0.4]), table([0.3, 0.4]), "hps")
    assert same.rate == 0.5 and same.low == pytest.approx(1 - same.high)


def test_by_prompt_and_by_image() -> None:
    ours, theirs = table([1.0, 0.0, 0.6, 0.6], images=2), table([0.4, 0.4, 0.8, 0.2], images=2)
    assert win_rate(ours, theirs, "hps").wins == 2
    by_image = win_rate(ours, theirs.sample(frac=1, random_state=0), "hps", "image")
    assert (by_image.wins, by_image.losses, by_image.n) == (2, 2, 4)
    reverse = win_rate(theirs, ours, "hps", "image")
    assert reverse.rate == 1 - by_image.rate


BAD = {
    "prompts": (lambda t: t.replace({"prompt_id": {"p1": "other"}}), "only one of the two has"),
    "fewer": (lambda t: t.head(1), "only one of the two has image 0 of prompt 'p1'"),
    "seeds": (lambda t: t.assign(seed=[100, 7]), "image 0 of prompt 'p1' has two seeds"),
    "missing score": (lambda t: t.assign(hps=[0.1, None]), "'hps' of the other is NaN"),
    "no column": (lambda t: t.drop(columns="hps"), "column 'hps' is missing"),
    "twice": (lambda t: pd.concat([t, t]), "has an image of 'p0' twice"),
    "nothing": (lambda t: t.head(0), "has no rows"),
}


@pytest.mark.parametrize("case", BAD)
def test_tables_that_do_not_belong_together_are_refused(case: str) -> None:
    spoil, message = BAD[case]
    ours = table([0.1, 0.2])
    with pytest.raises(MetricError, match=message) as caught:
        win_rate(ours, spoil(table([0.1, 0.2])), "hps")
    assert "\n" not in str(caught.value)
