"""The forty tasks: how each is drawn, and its mutual information in nats.

Base laws with closed forms, and maps of one side or both that leave the information as it is
(Czyz et al. 2023, "Beyond Normal"). Random numbers are our own: tasks agree with the published
package in distribution.

arXiv:2306.11078.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr, psi

Points: TypeAlias = NDArray[np.float64]
Pair: TypeAlias = tuple[Points, Points]
Law: TypeAlias = Callable[[int, np.random.Generator], Pair]
Map: TypeAlias = Callable[[Points], Points]


@dataclass(frozen=True)
class Task:
    """`draw(n, rng)` gives X (n, dim_x) and Y (n, dim_y); `information` is true, in nats."""

    name: str
    dim_x: int
    dim_y: int
    information: float
    draw: Law


# ---- base laws -------------------------------------------------------------------------------
def _normal(covariance: Points, dim_x: int) -> Law:
    root = np.linalg.cholesky(covariance)

    def draw(n: int, rng: np.random.Generator) -> Pair:
        z = rng.standard_normal((n, len(root))) @ root.T
        return z[:, :dim_x], z[:, dim_x:]

    return draw


def _normal_information(covariance: Points, dim_x: int) -> float:
    parts = (covariance[:dim_x, :dim_x], covariance[dim_x:, dim_x:], covariance)
    x, y, both = (float(np.linalg.slogdet(part)[1]) for part in parts)
    return (x + y - both) / 2


def _dense(n: int, correlation: float) -> Points:
    return np.full((2 * n, 2 * n), correlation) + (1 - correlation) * np.eye(2 * n)


def _sparse(n: int, pairs: int, correlation: float) -> Points:
    covariance = np.eye(2 * n)
    for i in range(pairs):
        covariance[i, n + i] = covariance[n + i, i] = correlation
    return covariance


def _student(n: int, freedom: int) -> Law:
    def draw(count: int, rng: np.random.Generator) -> Pair:
        z = rng.standard_normal((count, 2 * n))
        z /= np.sqrt(rng.chisquare(freedom, (count, 1)) / freedom)
        return z[:, :n], z[:, n:]

    return draw


def _student_information(n: int, freedom: int) -> float:
    """All of it through the shared scale: h(n) + h(n) - h(2n)."""
    return 2 * _student_entropy(n, freedom) - _student_entropy(2 * n, freedom)


def _student_entropy(k: int, v: int) -> float:
    half = (v + k) / 2
    volume = -gammaln(half) + gammaln(v / 2) + k / 2 * math.log(v * math.pi)
    return float(volume + half * (psi(half) - psi(v / 2)))


def _additive(width: float) -> Law:
    def draw(n: int, rng: np.random.Generator) -> Pair:
        x = rng.uniform(0, 1, (n, 1))
        return x, x + rng.uniform(-width, width, (n, 1))

    return draw


def _additive_information(width: float) -> float:
    return width - math.log(2 * width) if width <= 1 / 2 else 1 / (4 * width)


# ---- maps ------------------------------------------------------------------------------------
def _half_cube(x: Points) -> Points:
    return x * np.sqrt(np.abs(x))


def _wiggly_x(x: Points) -> Points:
    return x + 0.4 * np.sin(x) + 0.2 * np.sin(1.7 * x + 1) + 0.03 * np.sin(3.3 * x - 2.5)


def _wiggly_y(y: Points) -> Points:
    return y - 0.4 * np.sin(0.4 * y) + 0.17 * np.sin(1.3 * y + 3.5) + 0.02 * np.sin(4.3 * y - 2.5)


def _bimodal(weight: float, first: float, second: float) -> Map:
    """Normal to a mixture of N(first, 1) and N(second, 1), by its quantiles."""
    grid = np.linspace(-10, 10, 400_001)
    cdf = weight * ndtr(grid - first) + (1 - weight) * ndtr(grid - second)
    return lambda x: np.interp(ndtr(x), cdf, grid)


def _swiss_roll(x: Points) -> Points:
    t = 1.5 * math.pi * (1 + 2 * x)
    return np.concatenate([t * np.cos(t), t * np.sin(t)], axis=1) / 21


def _spiral(x: Points, first: int) -> Points:
    """Rotate coordinates `first` and the next by the squared radius over the dimension."""
    angle = (x**2).sum(axis=1) / x.shape[1]
    a, b = x[:, first].copy(), x[:, first + 1].copy()
    turned = x.copy()
    turned[:, first] = np.cos(angle) * a - np.sin(angle) * b
    turned[:, first + 1] = np.sin(angle) * a + np.cos(angle) * b
    return turned


def _mapped(law: Law, of_x: Map, of_y: Map | None = None) -> Law:
    def draw(n: int, rng: np.random.Generator) -> Pair:
        x, y = law(n, rng)
        return of_x(x), (of_y or of_x)(y)

    return draw


# ---- the list --------------------------------------------------------------------------------
def _tasks() -> list[Task]:
    plain, information = _dense(1, 0.75), _normal_information(_dense(1, 0.75), 1)
    normal, student = _normal(plain, 1), _student(1, 1)
    same: Map = np.asarray
    student_1 = _student_information(1, 1)

    def one(name: str, law: Law, value: float = information, dim_x: int = 1) -> Task:
        return Task(name, dim_x, 1, value, law)

    spiralled = (partial(_spiral, first=0), partial(_spiral, first=1))
    tasks = [
        one("1v1-normal-0.75", normal),
        one("normal_cdf-1v1-normal-0.75", _mapped(normal, ndtr)),
        one("1v1-additive-0.1", _additive(0.1), _additive_information(0.1)),
        one("1v1-additive-0.75", _additive(0.75), _additive_information(0.75)),
        one("1v1-bimodal-0.75", _mapped(normal, _bimodal(0.3, 0, 5), _bimodal(0.5, -1, 3))),
        one("wiggly-1v1-normal-0.75", _mapped(normal, _wiggly_x, _wiggly_y)),
        one("half_cube-1v1-normal-0.75", _mapped(normal, _half_cube)),
        one("student-identity-1-1-1", student, student_1),
        one("asinh-student-identity-1-1-1", _mapped(student, np.arcsinh), student_1),
        one(
            "swissroll_x-normal_cdf-1v1-normal-0.75",
            _mapped(_mapped(normal, ndtr), _swiss_roll, same),
            dim_x=2,
        ),
    ]
    for n in (2, 3, 5, 25, 50):
        tasks.append(_gaussian(f"multinormal-dense-{n}-{n}-0.5", n, _dense(n, 0.5)))
    for n in (2, 3, 5, 25):
        tasks.append(_gaussian(f"multinormal-sparse-{n}-{n}-2-2.0", n, _sparse(n, 2, 0.8)))
    for n, v in ((2, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3)):
        tasks.append(_t(f"student-identity-{n}-{n}-{v}", n, v))
    for prefix, maps in (
        ("normal_cdf", (ndtr, ndtr)),
        ("half_cube", (_half_cube, _half_cube)),
        ("spiral", spiralled),
        ("spiral-normal_cdf", tuple(_after(ndtr, turn) for turn in spiralled)),
    ):
        for n in (3, 5, 25):
            base = _gaussian(f"{prefix}-multinormal-sparse-{n}-{n}-2-2.0", n, _sparse(n, 2, 0.8))
            tasks.append(Task(base.name, n, n, base.information, _mapped(base.draw, *maps)))
    for n, v in ((2, 1), (3, 2), (5, 2)):
        base = _t(f"asinh-student-identity-{n}-{n}-{v}", n, v)
        tasks.append(Task(base.name, n, n, base.information, _mapped(base.draw, np.arcsinh)))
    return tasks


def _gaussian(name: str, n: int, covariance: Points) -> Task:
    return Task(name, n, n, _normal_information(covariance, n), _normal(covariance, n))


def _t(name: str, n: int, freedom: int) -> Task:
    return Task(name, n, n, _student_information(n, freedom), _student(n, freedom))


def _after(first: Map, second: Map) -> Map:
    return lambda x: second(first(x))


TASKS: dict[str, Task] = {task.name: task for task in _tasks()}
