"""A distance between two sets of pictures, with the numbers of pictures it was found on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from mitune.metrics.base import MetricError
from mitune.metrics.features import Features, Moments


@dataclass(frozen=True)
class Distance:
    """`value` on `n` against `m` pictures; a 95 % interval, not a number where there is none."""

    value: float
    n: int
    m: int
    low: float = math.nan
    high: float = math.nan

    def scaled(self, factor: float) -> Distance:
        """Value and interval times `factor`."""
        return replace(
            self, value=self.value * factor, low=self.low * factor, high=self.high * factor
        )


def vectors_of(statistics: Features | Moments, kind: str) -> Features:
    """Raises MetricError if only moments are left."""
    if isinstance(statistics, Moments):
        raise MetricError(f"{kind} needs the features of all pictures, not moments; make them")
    return statistics
