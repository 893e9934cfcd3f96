"""One network for all the denoising problems of a pair (X, Y), as MINDE has it.

It sees both sides, each noisy, clean or blank, and which is which; it predicts the noise (or the
velocity) of both. So the estimators of `mitune.mutual_information` run on it unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mitune.denoiser import Condition
from mitune.mi_benchmark.training import perceptron
from mitune.mutual_information import ForwardScore, information
from mitune.noise import NoisePath, coefficients
from mitune.prediction import Prediction, PredictionKind

NOISY, CLEAN, BLANK = 0, 1, 2
_FREQUENCIES = 8
_ROWS_THAT_SHARE_NOISE = 32


class PairNetwork(nn.Module):
    """(x, y, states, time) to the prediction for both sides."""

    frequencies: Tensor

    def __init__(self, dim_x: int, dim_y: int, hidden: int) -> None:
        super().__init__()
        self.dims = (dim_x, dim_y)
        inputs = dim_x + dim_y + 6 + 2 * _FREQUENCIES
        self.body = perceptron(inputs, hidden, dim_x + dim_y)
        self.register_buffer("frequencies", math.pi * 2.0 ** torch.arange(_FREQUENCIES) / 4)

    def forward(
        self, x: Tensor, y: Tensor, states: tuple[int, int], s: Tensor
    ) -> tuple[Tensor, Tensor]:
        """`x` (B, dim_x), `y` (B, dim_y), `states` of the two, `s` (B,) in [0, 1]."""
        sides = [
            torch.zeros_like(side) if state == BLANK else side
            for side, state in zip((x, y), states, strict=True)
        ]
        marks = torch.zeros(6, dtype=x.dtype)
        marks[states[0]] = marks[3 + states[1]] = 1
        angles = s[:, None] * self.frequencies
        inputs = [*sides, marks.expand(len(x), 6), angles.sin(), angles.cos()]
        return self.body(torch.cat(inputs, dim=1)).split(self.dims, dim=1)


@dataclass(frozen=True, eq=False)
class SideDenoiser:
    """Denoises X given Y (`Condition` y, given = 1) or X alone (given = 0)."""

    network: PairNetwork
    path: NoisePath
    kind: PredictionKind

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """`z_t` (B, dim_x)."""
        y, given = condition.tensors["y"], condition.tensors["given"]
        s = _fraction(t)
        with_y, _ = self.network(z_t, y, (NOISY, CLEAN), s)
        alone, _ = self.network(z_t, y, (NOISY, BLANK), s)
        raw = torch.where(given[:, None] > 0, with_y, alone)
        return Prediction(raw, self.kind, z_t, *coefficients(self.path, t, z_t))


@dataclass(frozen=True, eq=False)
class JointDenoiser:
    """Denoises (X, Y) jointly (given = 0), or each side given the other one clean (given = 1)."""

    network: PairNetwork
    path: NoisePath
    kind: PredictionKind

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """`z_t` (B, dim_x + dim_y)."""
        x_t, y_t = z_t.split(self.network.dims, dim=1)
        x, y = condition.tensors["x"], condition.tensors["y"]
        s = _fraction(t)
        both = torch.cat(self.network(x_t, y_t, (NOISY, NOISY), s), dim=1)
        x_given_y, _ = self.network(x_t, y, (NOISY, CLEAN), s)
        _, y_given_x = self.network(x, y_t, (CLEAN, NOISY), s)
        each = torch.cat([x_given_y, y_given_x], dim=1)
        raw = torch.where(condition.tensors["given"][:, None] > 0, each, both)
        return Prediction(raw, self.kind, z_t, *coefficients(self.path, t, z_t))


def _fraction(t: Tensor) -> Tensor:
    return t.float() / 1000


def mean_information(
    denoiser: SideDenoiser | JointDenoiser,
    points: Tensor,
    condition: Condition,
    estimators: Sequence[ForwardScore],
    seed: int,
) -> list[float]:
    """Means over all points, nats; few of them share their noise, as candidates would."""
    totals = torch.zeros(len(estimators), dtype=torch.float64)
    for start in range(0, len(points), _ROWS_THAT_SHARE_NOISE):
        rows = slice(start, start + _ROWS_THAT_SHARE_NOISE)
        z, given = points[rows], condition[rows]
        null = Condition({**given.tensors, "given": torch.zeros(len(z))})
        generator = torch.Generator().manual_seed(seed * 1_000_003 + start)
        found = information(denoiser, z, given, null, estimators, generator)
        totals += torch.stack([part.score.double().sum() for part in found])
    return (totals / len(points)).tolist()
