"""CMMD: MMD with a Gaussian kernel on CLIP embeddings (Jayasumana et al. 2024).

arXiv:2401.09603.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, PositiveFloat

from mitune.metrics.distances.base import Distance, vectors_of
from mitune.metrics.distances.mmd import squared_mmd
from mitune.metrics.features import Features, Moments


class CMMD(BaseModel):
    """1000 times the squared MMD, k(x, y) = exp(-|x - y|^2 / (2 sigma^2)), diagonal included.

    Biased upwards by about 10 (1/n + 1/m) (1 - |mean|^2) on unit vectors, where the kernel is
    nearly linear and the value nearly 10 |mean_x - mean_y|^2. Departure from the released code:
    float64 instead of float32, and no last batch is dropped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["cmmd"] = "cmmd"
    sigma: PositiveFloat = 10.0
    scale: PositiveFloat = 1000.0

    def compare(self, model: Features | Moments, reference: Features | Moments) -> Distance:
        """Distance of two sets of pictures. Raises MetricError if only moments are left of one."""
        x, y = vectors_of(model, self.kind), vectors_of(reference, self.kind)
        return squared_mmd(x, y, self._kernel, unbiased=False).scaled(self.scale)

    def _kernel(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        squares = np.square(x).sum(1)[:, None] + np.square(y).sum(1) - 2 * x @ y.T
        values: NDArray[np.float64] = np.exp(np.maximum(squares, 0) / (-2 * self.sigma**2))
        return values
