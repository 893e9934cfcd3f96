"""Fréchet distance of two Gaussians: FID and FD-DINO (Heusel et al. 2017; Stein et al. 2023).

arXiv:1706.08500, arXiv:2306.04675.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.linalg import eigh, svdvals

from mitune.metrics.distances.base import Distance
from mitune.metrics.features import Features, Moments


class Frechet(BaseModel):
    """|mu1 - mu2|^2 + Tr S1 + Tr S2 - 2 Tr (S1 S2)^(1/2), covariances over n - 1, in float64.

    Biased upwards, about as 1/n and the more the larger D (Chong and Forsyth 2020): only values
    with the same n and m are to be compared, and n should be beyond D. No interval: a resample
    has fewer distinct pictures, so the bias of a bootstrap is larger than what it would measure.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["frechet"] = "frechet"

    def compare(self, model: Features | Moments, reference: Features | Moments) -> Distance:
        """Distance of two sets of pictures. Raises MetricError if one has less than two."""
        a, b = (s if isinstance(s, Moments) else Moments.of(s) for s in (model, reference))
        return Distance(frechet_distance(a, b), a.n, b.n)


def frechet_distance(a: Moments, b: Moments) -> float:
    """The squared 2-Wasserstein distance of the two Gaussians.

    With S = L L^T, Tr (S1 S2)^(1/2) is the sum of the singular values of L1^T L2: no square root
    of a difference that is rounding error, so fewer pictures than dimensions do no harm.
    """
    shift = a.mean - b.mean
    root = svdvals(_factor(a.covariance).T @ _factor(b.covariance)).sum()
    traces = np.trace(a.covariance) + np.trace(b.covariance)
    return max(0.0, float(shift @ shift + traces - 2 * root))


def _factor(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """L (D, rank) with L L^T = S, without the directions that are rounding error."""
    values, vectors = eigh(covariance)
    floor = len(values) * np.finfo(np.float64).eps * values[-1]
    kept = values > floor
    if not kept.any():  # all pictures are alike
        return np.zeros((len(values), 1))
    return vectors[:, kept] * np.sqrt(values[kept])
