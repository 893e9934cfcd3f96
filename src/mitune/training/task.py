"""What the loop trains on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import torch
from accelerate import Accelerator
from torch import Tensor

from mitune.objectives import Losses

Loss: TypeAlias = Callable[[int, Tensor], Tensor]


class Task(Protocol):
    """Losses of the examples of a step, by their positions in it.

    What a step trains on depends on its index and the weights alone: that makes a resumed run
    equal to an undisturbed one. What it keeps from step to step is its `state`.
    """

    @property
    def group(self) -> int:
        """How many neighbouring positions, from a multiple of it on, are never split."""
        ...

    def prepare(self, step: int, accelerator: Accelerator) -> None:
        """Make what the step needs, once, by all processes."""
        ...

    def survey(self, rows: Tensor) -> Tensor:
        """(E, K) values of the examples at `rows` (E,) that the losses of all others may need."""
        ...

    def losses(self, rows: Tensor, whole: Tensor) -> Losses:
        """(E,) losses of the examples at `rows` (E,); `whole` (B, K) is the survey of all."""
        ...

    def state(self) -> Mapping[str, Any]:
        """What a checkpoint needs besides weights: tensors and numbers, by name."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """As it was when `state` was taken."""
        ...


@dataclass
class EachAlone:
    """`of(step, rows)`: (E,) losses that know nothing of each other."""

    of: Loss
    group: int = 1
    step: int = 0

    def prepare(self, step: int, accelerator: Accelerator) -> None:
        """As `Task.prepare`."""
        self.step = step

    def survey(self, rows: Tensor) -> Tensor:
        """Nothing."""
        return torch.empty(len(rows), 0)

    def losses(self, rows: Tensor, whole: Tensor) -> Losses:
        """As `Task.losses`."""
        return Losses(self.of(self.step, rows))

    def state(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to do."""
