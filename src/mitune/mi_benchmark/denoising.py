"""One network for all the denoising problems of a pair (X, Y), as MINDE has it.

It sees both sides, each noisy, clean or blank, and which is which; it predicts the noise (or the
velocity) of both. So the estimators of `mitune.estimators` run on it unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mitune.diffusion.denoiser import Condition
from mitune.diffusion.noise import NoisePath, coefficients
from mitune.diffusion.prediction import Prediction, PredictionKind
from mitune.estimators import ForwardScore, information
from mitune.mi_benchmark.training import perceptron

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

    def forward(self, x: Tensor, y: Tensor, states: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """`x` (B, dim_x), `y` (B, dim_y), `states` of the two (B, 2), `s` (B,) in [0, 1]."""
        sides = [
            side.masked_fill(state[:, None] == BLANK, 0)
            for side, state in zip((x, y), states.unbind(1), strict=True)
        ]
        marks = F.one_hot(states, 3).flatten(1).to(x.dtype)
        angles = s[:, None] * self.frequencies
        inputs = [*sides, marks, angles.sin(), angles.cos()]
        return self.body(torch.cat(inputs, dim=1)).split(self.dims, dim=1)


def states_of(x: int, y: int, rows: int) -> Tensor:
    """The same two states for every row, (rows, 2)."""
    return torch.tensor([[x, y]]).expand(rows, 2)


@dataclass(frozen=True, eq=False)
class _PairDenoiser:
    network: PairNetwork
    path: NoisePath
    kind: PredictionKind

    def _prediction(self, raw: Tensor, z_t: Tensor, t: Tensor) -> Prediction:
        return Prediction(raw, self.kind, z_t, *coefficients(self.path, t, z_t))


class SideDenoiser(_PairDenoiser):
    """Denoises X given Y (`Condition` y, given = 1) or X alone (given = 0)."""

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """`z_t` (B, dim_x)."""
        given = condition.tensors["given"] > 0
        states = torch.stack(
            [torch.where(given, NOISY, NOISY), torch.where(given, CLEAN, BLANK)], dim=1
        )
        raw, _ = self.network(z_t, condition.tensors["y"], states, _fraction(t))
        return self._prediction(raw, z_t, t)


class JointDenoiser(_PairDenoiser):
    """Denoises (X, Y) jointly (given = 0), or each side given the other one clean (given = 1)."""

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """`z_t` (B, dim_x + dim_y)."""
        x_t, y_t = z_t.split(self.network.dims, dim=1)
        given = condition.tensors["given"] > 0
        x, y = (
            torch.where(given[:, None], condition.tensors[name], noisy)
            for name, noisy in (("x", x_t), ("y", y_t))
        )
        noisy, other = torch.where(given, NOISY, NOISY), torch.where(given, CLEAN, NOISY)
        of_x, _ = self.network(x_t, y, torch.stack([noisy, other], dim=1), _fraction(t))
        _, of_y = self.network(x, y_t, torch.stack([other, noisy], dim=1), _fraction(t))
        return self._prediction(torch.cat([of_x, of_y], dim=1), z_t, t)


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
        scores = information(denoiser, z, given, null, estimators, generator)
        totals += torch.stack([part.score.double().sum() for part in scores])
    return (totals / len(points)).tolist()
