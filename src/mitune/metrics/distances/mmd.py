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
_Codes: TypeAlias = NDArray[np.intp]
Kernel: TypeAlias = Callable[[_Array, _Array], _Array]

_BLOCK = 1024
_NORMAL_975 = 1.959964


@dataclass(frozen=True, eq=False)
class _Pairs:
    """A sum over pairs by unit: of all whose first, whose second is of it, and whose both are."""

    first: _Array
    second: _Array
    both: _Array

    def left(self, *, apart: bool) -> _Array:
        """Entry 0: the sum over all pairs; entry 1 + u: over those without unit u.

        `apart` leaves out the pairs within a unit.
        """
        total, gone = self.first.sum(), self.first + self.second - self.both
        if apart:
            total, gone = total - self.both.sum(), gone - self.both
        return total - np.concatenate([[0.0], gone])


def squared_mmd(
    model: Features, reference: Features, kernel: Kernel, *, unbiased: bool
) -> Distance:
    """Squared MMD of Gretton et al. (2012): eq. 5, all pairs, or eq. 3, pairs of different units.

    Where each picture is a unit, eq. 3 is as they have it. Where pictures share prompts, leaving
    only the diagonal out would not be unbiased: a model's own pictures of a prompt would meet less
    often than its picture and a reference of that prompt.

    The interval is value -+ 1.96 standard errors of the delete-a-unit jackknife. A unit that both
    sets have is left out of both, so what they share by it cancels. Where the two distributions
    are equal, MMD is not normal and the interval is only a rough one.
    """
    labels, codes = np.unique(np.concatenate([model.units, reference.units]), return_inverse=True)
    x, y = (model.vectors, codes[: model.n]), (reference.vectors, codes[model.n :])
    units = len(labels)
    with np.errstate(divide="ignore", invalid="ignore"):
        within_x, within_y, between = (
            _kernel_sums(a, b, kernel, units).left(apart=unbiased)
            / _counts(a[1], b[1], units).left(apart=unbiased)
            for a, b in ((x, x), (y, y), (x, y))
        )
    squared = within_x + within_y - 2 * between
    value, left_out = float(squared[0]), squared[1:]
    if units < 3 or not np.isfinite(left_out).all():
        return Distance(value, model.n, reference.n)
    spread = np.square(left_out - left_out.mean()).sum()
    reach = _NORMAL_975 * float(np.sqrt((units - 1) / units * spread))
    return Distance(value, model.n, reference.n, value - reach, value + reach)


def _counts(first: _Codes, second: _Codes, units: int) -> _Pairs:
    n, m = (np.bincount(codes, minlength=units).astype(np.float64) for codes in (first, second))
    return _Pairs(n * len(second), m * len(first), n * m)


def _kernel_sums(
    first: tuple[_Array, _Codes], second: tuple[_Array, _Codes], kernel: Kernel, units: int
) -> _Pairs:
    rows, columns, both = (np.zeros(units) for _ in range(3))
    for i in batches(len(first[0]), _BLOCK):
        for j in batches(len(second[0]), _BLOCK):
            block = kernel(first[0][i], second[0][j])
            shared = np.where(first[1][i][:, None] == second[1][j], block, 0.0)
            rows += np.bincount(first[1][i], block.sum(1), units)
            columns += np.bincount(second[1][j], block.sum(0), units)
            both += np.bincount(first[1][i], shared.sum(1), units)
    return _Pairs(rows, columns, both)
