"""Networks that tell near from far."""

from typing import TypeAlias

from mitune.metrics.depth.base import DepthEstimator
from mitune.metrics.depth.dpt import Dpt

__all__ = ["DepthConfig", "DepthEstimator", "Dpt"]

DepthConfig: TypeAlias = Dpt
