"""Maximum mean discrepancy of two sets, block by block, with a jackknife over units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mitune.metrics.base import batches
from mitune.metrics.distances.base import Distance
from mitune.metrics.features import Features

_Array: TypeAlias = NDArray[np.float64]
Kernel: TypeAlias = Callable[[_Array, _Array], _Array]

_BLOCK = 1024
_NORMAL_975 = 1.959964


@dataclass(frozen=True, eq=False)
class _Sums:
    """Kernel summed over the pairs that are left: entry 0 of all, entry 1 + u without unit u."""

    pairs: _Array
    diagonal: _Array


def squared_mmd(
    model: Features, reference: Features, kernel: Kernel, *, unbiased: bool
) -> Distance:
    """Squared MMD of Gretton et al. (2012): eq. 5 with the diagonal, or eq. 3, which has none.

    The interval is value -+ 1.96 standard errors of the delete-a-unit jackknife. A unit that
    both sets have is left out of both, so what they share by it cancels. Where the two
    distributions are equal, MMD is not normal and the interval is only a rough one.
    """
    labels, codes = np.unique(np.concatenate([model.units, reference.units]), return_inverse=True)
    x, y = (model.vectors, codes[: model.n]), (reference.vectors, codes[model.n :])
    units = len(labels)
    within_x, within_y, between = (
        _sums(first, second, kernel, units) for first, second in ((x, x), (y, y), (x, y))
    )
    n, m = (_left(code, units) for _, code in (x, y))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (
            _mean_within(within_x, n, unbiased)
            + _mean_within(within_y, m, unbiased)
            - 2 * between.pairs / (n * m)
        )
    value, left_out = float(found[0]), found[1:]
    error = float(np.sqrt((units - 1) / units * np.square(left_out - left_out.mean()).sum()))
    if not np.isfinite(error) or units < 3:
        return Distance(value, model.n, reference.n)
    reach = _NORMAL_975 * error
    return Distance(value, model.n, reference.n, value - reach, value + reach)


def _mean_within(sums: _Sums, count: _Array, unbiased: bool) -> _Array:
    if unbiased:
        return (sums.pairs - sums.diagonal) / (count * (count - 1))
    return sums.pairs / count**2


def _left(codes: NDArray[np.intp], units: int) -> _Array:
    """How many are left: of all, and without each unit."""
    counts = np.bincount(codes, minlength=units)
    return np.concatenate([[0.0], -counts]) + len(codes)


def _sums(
    first: tuple[_Array, NDArray[np.intp]],
    second: tuple[_Array, NDArray[np.intp]],
    kernel: Kernel,
    units: int,
) -> _Sums:
    """Without unit u: all pairs, minus those whose first or second is of u, plus both twice."""
    rows, columns, both, diagonal = (np.zeros(units) for _ in range(4))
    same = first is second
    for i in batches(len(first[0]), _BLOCK):
        for j in batches(len(second[0]), _BLOCK):
            block = kernel(first[0][i], second[0][j])
            shared = np.where(first[1][i][:, None] == second[1][j], block, 0.0)
            rows += np.bincount(first[1][i], block.sum(1), units)
            columns += np.bincount(second[1][j], block.sum(0), units)
            both += np.bincount(first[1][i], shared.sum(1), units)
            if same and i == j:
                diagonal += np.bincount(first[1][i], np.diag(block), units)
    return _Sums(
        rows.sum() - np.concatenate([[0.0], rows + columns - both]),
        diagonal.sum() - np.concatenate([[0.0], diagonal]),
    )
