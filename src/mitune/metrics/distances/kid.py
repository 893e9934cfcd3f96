"""KID: unbiased MMD with a cubic kernel (Binkowski et al. 2018).

arXiv:1801.01401.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, PositiveFloat

from mitune.metrics.distances.base import Distance, vectors_of
from mitune.metrics.distances.mmd import squared_mmd
from mitune.metrics.features import Features, Moments


class KID(BaseModel):
    """`scale` times the unbiased squared MMD, k(x, y) = (x . y / D + 1)^3; it may be negative.

    Departure from the paper: all pairs at once instead of the mean over random subsets, which has
    the same expectation and more variance; and pairs of pictures of the same prompt are left out,
    so that it is unbiased for them too. Published values are often times 100 or 1000.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["kid"] = "kid"
    scale: PositiveFloat = 1.0

    def compare(self, model: Features | Moments, reference: Features | Moments) -> Distance:
        """Distance of two sets of pictures. Raises MetricError if only moments are left of one."""
        x, y = vectors_of(model, self.kind), vectors_of(reference, self.kind)
        return squared_mmd(x, y, _kernel, unbiased=True).scaled(self.scale)


def _kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = (x @ y.T / x.shape[1] + 1) ** 3
    return values
