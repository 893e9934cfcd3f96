"""Distances against closed forms and straight-line computations."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.stats import ortho_group

from mitune.metrics import MetricError
from mitune.metrics.distances import CMMD, KID, Frechet, mmd
from mitune.metrics.features import Features, Moments

OF = {"kind": "test"}


def features(vectors: np.ndarray, units: np.ndarray | None = None, name: str = "x") -> Features:
    own = np.array([f"{name}{i}" for i in range(len(vectors))])
    return Features(vectors, own if units is None else units, OF)


def moments(mean: np.ndarray, covariance: np.ndarray, n: int = 1000) -> Moments:
    return Moments(n, mean, covariance * (n - 1), OF)


def unit_vectors(rng: np.random.Generator, n: int, d: int, shift: float = 0.0) -> np.ndarray:
    vectors = rng.normal(size=(n, d)) + 1 + shift * (np.arange(d) < d // 2)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_frechet_of_diagonal_gaussians() -> None:
    rng = np.random.default_rng(0)
    (m1, m2), (s1, s2) = rng.normal(size=(2, 40)), rng.uniform(0.1, 3, (2, 40))
    found = Frechet().compare(moments(m1, np.diag(s1**2)), moments(m2, np.diag(s2**2), 50))
    assert found.value == pytest.approx(np.square(m1 - m2).sum() + np.square(s1 - s2).sum())
    assert (found.n, found.m) == (1000, 50) and np.isnan(found.low)


def test_frechet_is_the_textbook_formula_and_does_not_see_rotations() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(200, 30)) @ rng.normal(size=(30, 30)), rng.normal(size=(90, 30)) + 0.3
    s1, s2 = np.cov(x.T), np.cov(y.T)
    root = np.trace(sqrtm(s1 @ s2)).real
    truth = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(s1) + np.trace(s2) - 2 * root
    found = Frechet().compare(features(x), features(y)).value
    assert found == pytest.approx(truth, rel=1e-9)
    turn = ortho_group.rvs(30, random_state=2)
    assert Frechet().compare(features(x @ turn), features(y @ turn)).value == pytest.approx(found)


@pytest.mark.parametrize("n", [5, 40, 400])
def test_frechet_of_a_set_to_itself_is_zero_whatever_its_rank(n: int) -> None:
    x = np.random.default_rng(3).normal(size=(n, 60)) * 10
    assert Frechet().compare(features(x), features(x)).value < 1e-9
    shifted = Frechet().compare(features(x), features(x + 0.5)).value
    assert shifted == pytest.approx(60 * 0.25, rel=1e-9)


def test_frechet_with_fewer_pictures_than_dimensions() -> None:
    """Rank 9 in 50 dimensions: the nuclear norm of the centred data, found without covariances."""
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(10, 50)), rng.normal(size=(10, 50))
    a, b = ((v - v.mean(0)) / 3 for v in (x, y))
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    truth = np.square(x.mean(0) - y.mean(0)).sum() + (a**2).sum() + (b**2).sum() - 2 * root
    assert Frechet().compare(features(x), features(y)).value == pytest.approx(truth, rel=1e-9)


def test_frechet_is_biased_upwards_at_small_n() -> None:
    rng = np.random.default_rng(5)
    few, many = (
        Frechet().compare(features(rng.normal(size=(n, 8))), features(rng.normal(size=(n, 8))))
        for n in (50, 800)
    )
    assert few.value > 5 * many.value > 0


def test_one_picture_has_no_covariance_and_pictures_all_alike_have_none_to_speak_of() -> None:
    with pytest.raises(MetricError, match="needs two pictures, there is 1"):
        Frechet().compare(features(np.ones((1, 3))), features(np.ones((4, 3))))
    assert Frechet().compare(features(np.ones((4, 3))), features(np.zeros((4, 3)))).value == 3


def _cmmd(x: np.ndarray, y: np.ndarray) -> float:
    def mean(a: np.ndarray, b: np.ndarray) -> float:
        return np.exp(-np.square(a[:, None] - b[None]).sum(-1) / 200).mean()

    return 1000 * (mean(x, x) + mean(y, y) - 2 * mean(x, y))


def _kid(x: np.ndarray, y: np.ndarray, of_x: np.ndarray, of_y: np.ndarray) -> float:
    def mean(a: np.ndarray, b: np.ndarray, of_a: np.ndarray, of_b: np.ndarray) -> float:
        apart = [
            (a[i] @ b[j] / len(a[i]) + 1) ** 3
            for i in range(len(a))
            for j in range(len(b))
            if of_a[i] != of_b[j]
        ]
        return sum(apart) / len(apart)

    return mean(x, x, of_x, of_x) + mean(y, y, of_y, of_y) - 2 * mean(x, y, of_x, of_y)


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_cmmd_and_kid_block_by_block_are_the_full_matrices(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mmd, "_BLOCK", block)
    rng = np.random.default_rng(6)
    x, y = unit_vectors(rng, 23, 6), unit_vectors(rng, 17, 6, 0.4)
    a, b = features(x), features(y, name="y")
    assert CMMD().compare(a, b).value == pytest.approx(_cmmd(x, y), rel=1e-9)
    assert KID(scale=100).compare(a, b).value == pytest.approx(
        100 * _kid(x, y, a.units, b.units), rel=1e-9
    )
    assert CMMD(sigma=10, scale=1).compare(a, b).value == pytest.approx(_cmmd(x, y) / 1000)


def test_cmmd_of_unit_vectors_is_ten_times_the_squared_distance_of_means() -> None:
    rng = np.random.default_rng(7)
    x, y = unit_vectors(rng, 400, 32), unit_vectors(rng, 300, 32, 0.5)
    found = CMMD().compare(features(x), features(y, name="y")).value
    assert found == pytest.approx(10 * np.square(x.mean(0) - y.mean(0)).sum(), rel=0.01)
    assert CMMD().compare(features(x), features(x, name="y")).value == pytest.approx(0, abs=1e-9)


def test_kid_of_equal_distributions_is_zero_on_average() -> None:
    rng = np.random.default_rng(8)
    draws = [
        KID().compare(features(rng.normal(size=(20, 5))), features(rng.normal(size=(25, 5)))).value
        for _ in range(300)
    ]
    error = np.std(draws) / np.sqrt(len(draws))
    assert abs(np.mean(draws)) < 3 * error
    assert min(draws) < 0


def test_kid_is_zero_on_average_for_pictures_of_the_same_prompts_too() -> None:
    """Each prompt has its own mean; without the diagonal alone, the average would be below."""
    rng = np.random.default_rng(11)
    of_x, of_y = np.repeat(np.arange(10), 2).astype(str), np.repeat(np.arange(10), 3).astype(str)
    own, singly = [], []
    for _ in range(300):
        means = rng.normal(size=(10, 4)) * 1.5
        x, y = (means[u.astype(int)] + rng.normal(size=(len(u), 4)) * 0.5 for u in (of_x, of_y))
        own.append(KID().compare(features(x, of_x), features(y, of_y)).value)
        singly.append(KID().compare(features(x), features(y, name="y")).value)
    assert abs(np.mean(own)) < 3 * np.std(own) / np.sqrt(300)
    assert np.mean(singly) < -3 * np.std(singly) / np.sqrt(300)


def test_intervals_leave_one_unit_out_at_a_time() -> None:
    """Two pictures to a unit, some units in both sets: recomputed on what is left."""
    rng = np.random.default_rng(9)
    x, y = unit_vectors(rng, 16, 5), unit_vectors(rng, 12, 5, 0.5)
    of_x, of_y = (np.repeat([f"{i}" for i in r], 2) for r in (range(8), range(5, 11)))
    left = [_cmmd(x[of_x != str(i)], y[of_y != str(i)]) for i in range(11)]
    error = np.sqrt(10 / 11 * np.square(np.array(left) - np.mean(left)).sum())
    found = CMMD().compare(features(x, of_x), features(y, of_y))
    assert found.value - found.low == pytest.approx(1.959964 * error, rel=1e-6)
    assert found.high - found.value == pytest.approx(1.959964 * error, rel=1e-6)
    left = []
    for i in range(11):
        in_x, in_y = of_x != str(i), of_y != str(i)
        left.append(_kid(x[in_x], y[in_y], of_x[in_x], of_y[in_y]))
    error = np.sqrt(10 / 11 * np.square(np.array(left) - np.mean(left)).sum())
    found = KID().compare(features(x, of_x), features(y, of_y))
    assert found.high - found.value == pytest.approx(1.959964 * error, rel=1e-6)


def test_intervals_cover_the_truth() -> None:
    """A linear kernel's MMD is the squared distance of means, here (0.5, 0, 0): 0.25."""

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return x @ y.T

    rng = np.random.default_rng(10)
    covered = 0
    for _ in range(200):
        x, y = rng.normal(size=(80, 3)), rng.normal(size=(60, 3)) + np.array([0.5, 0, 0])
        found = mmd.squared_mmd(features(x), features(y, name="y"), kernel, unbiased=True)
        covered += found.low < 0.25 < found.high
    assert 0.89 < covered / 200 <= 0.99


def test_one_unit_has_no_interval_and_moments_are_not_features() -> None:
    x = features(np.eye(3), np.array(["a"] * 3))
    assert np.isnan(CMMD().compare(x, x).low) and np.isfinite(CMMD().compare(x, x).value)
    with pytest.raises(MetricError, match="cmmd needs the features"):
        CMMD().compare(x, Moments.of(x))
