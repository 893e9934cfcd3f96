"""Intervals against the normal one, and Wilson's own example."""

import numpy as np
import pandas as pd
import pytest

from mitune.statistics import prompt_bootstrap, wilson


def test_bootstrap_interval_is_the_normal_one_for_many_prompts():
    values = pd.Series(np.random.default_rng(3).normal(0.4, 0.6, 700))
    interval = prompt_bootstrap(values, seed=4)
    error = values.std() / np.sqrt(700)
    assert interval.mean == values.mean()
    assert interval.standard_error == pytest.approx(error, rel=0.05)
    assert interval.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert interval.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)
    again = prompt_bootstrap(values, seed=4)
    assert interval == again


def test_a_mean_over_nothing_is_refused():
    for values in ([np.nan, 1.0], []):
        with pytest.raises(ValueError, match="per_prompt"):
            prompt_bootstrap(pd.Series(values, dtype=float))


def test_wilson_is_the_closed_form():
    z, n, share = 1.959963985, 50, 0.3
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    assert wilson(15, n) == pytest.approx((centre - half, centre + half))
