"""Critics f(x, y) and the bounds they maximise: MINE, Donsker-Varadhan, NWJ, InfoNCE.

arXiv:1801.04062, arXiv:0809.0853, arXiv:1807.03748.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, PositiveInt
from torch import Tensor, nn

from mitune.mi_benchmark.base import Samples, tensors
from mitune.mi_benchmark.training import Training, perceptron, train

_CARRY = 0.9  # of MINE's running mean


class Critic(nn.Module):
    """f(x_i, y_j) for all pairs of a batch."""

    def __init__(self, dims: int, hidden: int) -> None:
        super().__init__()
        self.body = perceptron(dims, hidden, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(B, B): row i, column j."""
        n = len(x)
        pairs = [x[:, None].expand(n, n, -1), y[None].expand(n, n, -1)]
        scores: Tensor = self.body(torch.cat(pairs, dim=-1)).squeeze(-1)
        return scores


class CriticTraining(Training):
    """A batch of n is n^2 pairs."""

    steps: PositiveInt = 2000
    batch_size: PositiveInt = 64
    hidden: PositiveInt = 64


class Variational(BaseModel):
    """Trained on one half, evaluated on the other in batches of the same size.

    - `donsker_varadhan`: E f - log E_0 e^f.
    - `mine` (Belghazi et al. 2018): its value, but gradients of the second term over a running
      mean of e^f, to undo the bias of small batches.
    - `nwj` (Nguyen et al. 2010): E f - E_0 e^(f - 1).
    - `infonce` (van den Oord et al. 2018): at most the log of the batch size.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["variational"] = "variational"
    bound: Literal["mine", "donsker_varadhan", "nwj", "infonce"] = "mine"
    training: CriticTraining = CriticTraining()

    @property
    def names(self) -> tuple[str, ...]:
        """Of its estimates."""
        return (self.bound,)

    def estimate(self, samples: Samples, seed: int) -> Mapping[str, float]:
        """The bound under its own name."""
        torch.manual_seed(seed)
        x, y, x_test, y_test = tensors(samples)
        critic = Critic(x.shape[1] + y.shape[1], self.training.hidden)
        running: list[Tensor] = []

        def loss(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
            scores = critic(x, y)
            value = -bound(self.bound, scores)
            if self.bound == "mine":
                value = -(scores.diagonal().mean() - _mine_term(scores, running))
            return value.expand(len(x))

        train(critic, loss, (x, y), self.training, seed)
        size = min(self.training.batch_size, len(x_test))
        with torch.no_grad():
            parts = [
                bound(self.bound, critic(a, b)).item()
                for a, b in zip(x_test.split(size), y_test.split(size), strict=True)
                if len(a) == size
            ]
        return {self.bound: sum(parts) / len(parts)}


def bound(name: str, scores: Tensor) -> Tensor:
    """Value of a bound on a batch of scores (B, B), nats."""
    n = len(scores)
    joint = scores.diagonal()
    if name == "infonce":
        return (joint - scores.logsumexp(dim=1)).mean() + math.log(n)
    log_mean = _off_diagonal(scores).logsumexp(0) - math.log(n * (n - 1))
    if name == "nwj":
        return joint.mean() - (log_mean - 1).exp()
    return joint.mean() - log_mean


def _off_diagonal(scores: Tensor) -> Tensor:
    return scores[~torch.eye(len(scores), dtype=torch.bool)]


def _mine_term(scores: Tensor, running: list[Tensor]) -> Tensor:
    """A term whose gradient is that of E_0 e^f over the running mean of it."""
    mean = _off_diagonal(scores).exp().mean()
    before = running.pop() if running else mean.detach()
    running.append(_CARRY * before + (1 - _CARRY) * mean.detach())
    return mean / running[0]
