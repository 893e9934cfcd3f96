"""Intervals for any distance of two sets of pictures of the same prompts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitune.metrics.features import Features

_NORMAL_975 = 1.959964
_FEWEST = 3


@dataclass(frozen=True, eq=False)
class Replicated:
    """A value, and what it is without each group of units in turn, (G,).

    The interval is value -+ 1.96 standard errors of the delete-a-group jackknife. A distance that
    is biased by how many pictures there are (Fréchet) is so alike in all replicates, which
    therefore vary as it varies, where a bootstrap repeats pictures and shifts it.
    """

    value: float
    without: NDArray[np.float64]

    @property
    def reach(self) -> float:
        """Half the length of the 95 % interval; not a number without replicates."""
        groups = len(self.without)
        if not groups:
            return float("nan")
        spread = np.square(self.without - self.without.mean()).sum()
        return _NORMAL_975 * float(np.sqrt((groups - 1) / groups * spread))

    def __sub__(self, other: Replicated) -> Replicated:
        """The difference, whose interval knows that both left out the same prompts."""
        return Replicated(self.value - other.value, self.without - other.without)


def replicated(
    distance: Callable[[Features, Features], float],
    model: Features,
    reference: Features,
    groups: int,
) -> Replicated:
    """`distance` of both sets, and without each of at most `groups` groups of units.

    Units that both have (prompts) are left out of both. Which group a unit is in depends on the
    units alone, so that models on the same prompts have the same groups. Fewer than three groups
    leave too little of a set, and give no replicates.
    """
    units = np.unique(np.concatenate([model.units, reference.units]))
    count = min(groups, len(units))
    group_of = {unit: number % count for number, unit in enumerate(units)}

    def left(features: Features, group: int) -> Features:
        kept = np.array([group_of[unit] != group for unit in features.units])
        return Features(features.vectors[kept], features.units[kept], features.provenance)

    without = [
        distance(left(model, group), left(reference, group))
        for group in (range(count) if count >= _FEWEST else ())
    ]
    return Replicated(distance(model, reference), np.array(without, np.float64))
