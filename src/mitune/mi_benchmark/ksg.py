"""Nearest neighbours: Kraskov, Stoegbauer and Grassberger (2004), first estimator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt
from scipy.spatial.distance import cdist
from scipy.special import psi

from mitune.mi_benchmark.base import Samples

_ROWS_AT_ONCE = 512


class KSG(BaseModel):
    """psi(k) + psi(n) - <psi(n_x + 1) + psi(n_y + 1)>, eq. 8.

    Distances are Euclidean within each side, as in Czyz et al. (2023), and of a pair the larger of
    its two sides'. All n^2 are computed: trees lose to that from about five dimensions on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ksg"] = "ksg"
    neighbours: PositiveInt = 10

    @property
    def names(self) -> tuple[str, ...]:
        """Of its estimates."""
        return ("ksg",)

    def estimate(self, samples: Samples, seed: int) -> Mapping[str, float]:
        """`ksg`, on the test points."""
        x, y = samples.x_test, samples.y_test
        counted = 0.0
        for start in range(0, len(x), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            sides = [cdist(z[rows], z) for z in (x, y)]
            # The k-th neighbour; the nearest is the point itself.
            radii = np.partition(np.maximum(*sides), self.neighbours, axis=1)[:, self.neighbours]
            # Strictly closer: the point itself is the 1 of n + 1.
            counted += sum(psi((d < radii[:, None]).sum(axis=1)).sum() for d in sides)
        return {"ksg": float(psi(self.neighbours) + psi(len(x)) - counted / len(x))}
