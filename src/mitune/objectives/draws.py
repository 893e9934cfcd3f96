"""What is drawn for the examples of a step, for all of them at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mitune.objectives.rows.base import PerExample


class TimestepDensity(Protocol):
    """Where training timesteps come from."""

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count,) timesteps."""
        ...


@dataclass(frozen=True, eq=False)
class Draws(PerExample):
    """Timesteps `t` (E,) and `noise` (E, C, h, w): one each per example, shared by its roles."""

    t: Tensor
    noise: Tensor


@dataclass(frozen=True, eq=False)
class Transitions(PerExample):
    """Which transition of its trajectory an example trains on: `index` (E,)."""

    index: Tensor
