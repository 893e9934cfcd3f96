"""DOE: the difference of two cross-entropies (McAllester and Stratos 2020).

arXiv:1811.04251.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from mitune.mi_benchmark.base import Samples, tensors
from mitune.mi_benchmark.training import Training, perceptron, train


class DifferenceOfEntropies(BaseModel):
    """H(Y) - H(Y | X) with factorised densities of a `family`; no bound on either side.

    Both cross-entropies are minimised together. Departure from the released benchmark, which
    never clears its gradients: ours are cleared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["doe"] = "doe"
    family: Literal["gaussian", "logistic"] = "gaussian"
    training: Training = Training()

    @property
    def names(self) -> tuple[str, ...]:
        """Of its estimates."""
        return (f"doe_{self.family}",)

    def estimate(self, samples: Samples, seed: int) -> Mapping[str, float]:
        """`doe_gaussian` or `doe_logistic`."""
        torch.manual_seed(seed)
        x, y, x_test, y_test = tensors(samples)
        dims = y.shape[1]
        conditional = perceptron(x.shape[1], self.training.hidden, 2 * dims)
        marginal = nn.Parameter(torch.zeros(2 * dims))
        both = nn.ModuleDict({"conditional": conditional})
        both.register_parameter("marginal", marginal)

        def loss(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
            return self._entropy(y, marginal.expand(len(y), -1)) + self._entropy(y, conditional(x))

        train(both, loss, (x, y), self.training, seed)
        with torch.no_grad():
            entropy = self._entropy(y_test, marginal.expand(len(y_test), -1)).mean()
            left = self._entropy(y_test, conditional(x_test)).mean()
        return {f"doe_{self.family}": float(entropy - left)}

    def _entropy(self, y: Tensor, parameters: Tensor) -> Tensor:
        """-log q(y), (B,) nats."""
        mean, log_scale = parameters.chunk(2, dim=1)
        z = (y - mean) / log_scale.exp()
        if self.family == "gaussian":
            return (z.square() / 2 + log_scale + math.log(2 * math.pi) / 2).sum(1)
        return (z + log_scale + 2 * F.softplus(-z)).sum(1)
