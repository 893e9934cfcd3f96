"""Where along the log-SNR axis a finished image is noised: a density, and its importance weight.

The integral is 1/2 int g(lambda) dlambda over a window. A density maps u in (0, 1) to lambda; the
weight at u is 1/2 dlambda / du, so that the mean of weight times g over u is the integral.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeAlias

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import lambertw
from torch import Tensor

_LEAST = 1e-12  # Lambert's W has a branch point at u = 0
_MOST_T = 1 - 1e-9


class UniformLevels(BaseModel):
    """Uniform in log-SNR: every nat of the window counts alike."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["uniform"] = "uniform"

    def at(self, u: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
        """(log-SNR, weight) at `u` (K,), float64."""
        return low + (high - low) * u, torch.full_like(u, (high - low) / 2)


class FlowLevels(BaseModel):
    """RFMI, Prop. 3.3: t = alpha / (alpha + sigma) with density t / (1 - t) / Z, flat above t_e.

    Z = -ln(1 - t_e). On a rectified flow t is the paper's time; log-SNR = 2 ln(t / (1 - t)) makes
    it a density on any path. Here it is restricted to a window.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["rfmi"] = "rfmi"
    t_epsilon: float = Field(default=0.95, gt=0, lt=1)

    def at(self, u: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
        """(log-SNR, weight) at `u` (K,), float64."""
        first, last = self.distribution(_time(low)), self.distribution(_time(high))
        t = self.inverse(first + u * (last - first))
        weight = (last - first) / (t * (1 - t) * self.density(t))
        return 2 * torch.logit(t), weight

    def density(self, t: Tensor) -> Tensor:
        """f(t), (K,) float64."""
        clipped = t.clamp(max=self.t_epsilon)
        return clipped / (1 - clipped) / self._z

    def distribution(self, t: float) -> float:
        """F(t)."""
        if t < self.t_epsilon:
            return (-math.log1p(-t) - t) / self._z
        flat = self.t_epsilon / (1 - self.t_epsilon) * (t - 1)
        return (-math.log1p(-self.t_epsilon) + flat) / self._z

    def inverse(self, u: Tensor) -> Tensor:
        """F^-1(u), (K,) float64: 1 + W(-exp(-Z u - 1)) below F(t_e), linear above."""
        u = u.to(torch.float64).clamp(min=_LEAST)
        branch = np.asarray(lambertw(-np.exp(-self._z * u.numpy() - 1), 0))
        rising = 1 + torch.from_numpy(branch.real)
        slope = (1 - self.t_epsilon) / self.t_epsilon
        linear = 1 + slope * (math.log1p(-self.t_epsilon) + self._z * u)
        below = u < self.distribution(self.t_epsilon)
        return torch.where(below, rising, linear).clamp(max=_MOST_T)

    @property
    def _z(self) -> float:
        return -math.log1p(-self.t_epsilon)


NoiseLevels: TypeAlias = Annotated[UniformLevels | FlowLevels, Field(discriminator="kind")]


def _time(log_snr: float) -> float:
    return float(torch.sigmoid(torch.tensor(log_snr / 2, dtype=torch.float64)))
