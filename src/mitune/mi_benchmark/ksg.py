"""Nearest neighbours: Kraskov, Stoegbauer and Grassberger (2004), first estimator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt
from scipy.spatial import KDTree
from scipy.special import psi

from mitune.mi_benchmark.base import Samples


class KSG(BaseModel):
    """psi(k) + psi(n) - <psi(n_x + 1) + psi(n_y + 1)>, eq. 8; maximum norm throughout."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ksg"] = "ksg"
    neighbours: PositiveInt = 10

    def estimate(self, samples: Samples, seed: int) -> Mapping[str, float]:
        """`ksg`, on the test points."""
        x, y = samples.x_test, samples.y_test
        both = np.concatenate([x, y], axis=1)
        # The k-th neighbour; the nearest is the point itself.
        distances, _ = KDTree(both).query(both, [self.neighbours + 1], p=np.inf)
        radii = np.nextafter(np.ravel(distances), 0)  # strictly closer than that
        closer = [
            KDTree(z).query_ball_point(z, radii, p=np.inf, return_length=True) - 1 for z in (x, y)
        ]
        counted = psi(closer[0] + 1) + psi(closer[1] + 1)
        return {"ksg": float(psi(self.neighbours) + psi(len(x)) - counted.mean())}
