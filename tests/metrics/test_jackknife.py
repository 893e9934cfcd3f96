"""The jackknife against a closed form, and against what really varies."""

import numpy as np
import pytest

from mitune.metrics.distances import Frechet
from mitune.metrics.distances.jackknife import replicated
from mitune.metrics.features import Features


def features(vectors: np.ndarray, each: int = 1) -> Features:
    units = np.repeat(np.arange(len(vectors) // each), each).astype(np.str_)
    return Features(vectors, units, {})


def mean(model: Features, reference: Features) -> float:
    return float(model.vectors.mean())


def test_of_a_mean_it_is_the_standard_error() -> None:
    """With every unit a group of its own the jackknife's error of a mean is s / sqrt(n)."""
    values = np.random.default_rng(0).normal(size=(40, 1))
    found = replicated(mean, features(values), features(values), groups=40)
    expected = 1.959964 * values.std(ddof=1) / np.sqrt(40)
    assert found.reach == pytest.approx(expected, rel=1e-12)
    assert found.value == pytest.approx(values.mean())


def test_pictures_of_a_prompt_are_left_out_together() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=(30, 1)), 4, axis=0)
    found = replicated(mean, features(values, 4), features(values, 4), groups=30)
    expected = 1.959964 * values[::4].std(ddof=1) / np.sqrt(30)
    assert found.reach == pytest.approx(expected, rel=1e-12)


def test_a_difference_knows_what_both_share() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=(50, 1)) * 10
    first, second = (features(common + rng.normal(size=(50, 1)) * 0.1) for _ in range(2))
    one, other = (replicated(mean, f, first, groups=50) for f in (first, second))
    assert (one - other).reach < one.reach / 20
    assert (one - other).value == pytest.approx(one.value - other.value)


def test_of_a_frechet_distance_it_covers_what_it_should() -> None:
    """Over 1,800 draws the interval holds the expectation in 92 of 100: the distance is skewed."""
    rng = np.random.default_rng(1)

    def distance(model: Features, reference: Features) -> float:
        return Frechet().compare(model, reference).value

    def drawn() -> tuple[Features, Features]:
        return features(rng.normal(size=(200, 3))), features(rng.normal(0.5, 1, size=(200, 3)))

    expected = np.mean([distance(*drawn()) for _ in range(600)])
    found = [replicated(distance, *drawn(), groups=20) for _ in range(300)]
    held = np.mean([abs(f.value - expected) < f.reach for f in found])
    assert 0.87 <= held <= 0.98


@pytest.mark.parametrize("units", [1, 2])
def test_few_units_have_no_interval(units: int) -> None:
    few = features(np.ones((4 * units, 1)), 4)
    assert np.isnan(replicated(mean, few, few, groups=20).reach)
