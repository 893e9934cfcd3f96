"""What an estimator of mutual information is, and what it is given."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mitune.mi_benchmark.tasks import Points, Task


@dataclass(frozen=True)
class Samples:
    """Paired points to fit on and to estimate on; every column standardised by the former."""

    x_train: Points
    y_train: Points
    x_test: Points
    y_test: Points


class Estimator(Protocol):
    """Fits, then estimates; one fit may give several estimates."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of its estimates, known before there are any."""
        ...

    def estimate(self, samples: Samples, seed: int) -> Mapping[str, float]:
        """Estimates in nats, by name.

        Raises
        ------
        FloatingPointError
            If its training diverges.
        """
        ...


def draw(task: Task, train: int, test: int, seed: int) -> Samples:
    """Fresh samples of a task; the same for every estimator."""
    tag = int.from_bytes(hashlib.sha256(task.name.encode()).digest()[:4], "big")
    x, y = task.draw(train + test, np.random.default_rng((seed, tag)))
    x, y = ((z - z[:train].mean(0)) / z[:train].std(0) for z in (x, y))
    return Samples(x[:train], y[:train], x[train:], y[train:])


def tensors(samples: Samples) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same as float32: x and y to train on, x and y to estimate on."""
    x, y, x_test, y_test = (
        torch.from_numpy(part).float()
        for part in (samples.x_train, samples.y_train, samples.x_test, samples.y_test)
    )
    return x, y, x_test, y_test
