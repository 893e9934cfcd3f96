"""Canonical correlations: the information of the Gaussian with the same covariance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from mitune.mi_benchmark.base import Samples


class CCA(BaseModel):
    """-1/2 sum log(1 - rho_i^2) (Kay 1992). Right for Gaussians alone; needs no training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["cca"] = "cca"

    @property
    def names(self) -> tuple[str, ...]:
        """Of its estimates."""
        return ("cca",)

    def estimate(self, samples: Samples, seed: int) -> Mapping[str, float]:
        """`cca`, on the test points."""
        bases = [
            np.linalg.qr(points - points.mean(0))[0] for points in (samples.x_test, samples.y_test)
        ]
        correlations = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
        return {"cca": float(-np.log1p(-(correlations**2)).sum() / 2)}
