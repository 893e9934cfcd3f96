"""The exact backbone with failures: Gaussian classes, and a prompt that leaks into all of them.

X | k ~ N(m_k, s^2 I). A prompt is a mixture over the classes: the empty one is uniform, and a
leaky model asked for class c puts mass `leak` on the others. Which class an image shows is known,
so a score can be judged as an alignment metric (methods 5.3).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import Self

from mitune.diffusion.denoiser import Condition
from mitune.diffusion.noise import NoisePath, coefficients
from mitune.diffusion.prediction import Prediction, PredictionKind


@dataclass(frozen=True, eq=False)
class GaussianMixtureBackbone:
    """A Denoiser for mixtures of N(m_k, s^2 I), exact on any noise path.

    `means` is (K, d), `scale` is s > 0. A condition holds `weights` (B, K), rows summing to 1.
    Latents are (B, d). Computed in float64 on the CPU, returned in the type of the latent.
    """

    means: Tensor
    scale: float
    path: NoisePath
    kind: PredictionKind = "epsilon"

    def __post_init__(self) -> None:
        if self.scale <= 0:
            raise ValueError(f"scale: must be positive, got {self.scale}")
        object.__setattr__(self, "means", self.means.to(torch.float64))

    @property
    def denoiser(self) -> Self:
        """Itself."""
        return self

    def condition(self, classes: Tensor, leak: float = 0.0) -> Condition:
        """Prompts for `classes` (B,): mass 1 - leak on the class, the rest spread evenly."""
        others = leak / (len(self.means) - 1)
        weights = self.means.new_full((len(classes), len(self.means)), others)
        return Condition({"weights": weights.scatter(1, classes[:, None], 1 - leak)})

    def null(self, n: int = 1) -> Condition:
        """A batch of n empty prompts: every class alike."""
        classes = len(self.means)
        return Condition({"weights": self.means.new_full((n, classes), 1 / classes)})

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """E[eps | z_t, c] and E[x0 | z_t, c] for `z_t` (B, d), `t` (B,): responsibilities first."""
        z = z_t.to(torch.float64)
        alpha, sigma = coefficients(self.path, t, z)
        variance = alpha**2 * self.scale**2 + sigma**2
        log_weights = condition.tensors["weights"].log()
        belief = torch.softmax(self._log_joint(z, log_weights, alpha, variance), dim=1)
        mean = belief @ self.means
        white = (z - alpha * mean) / variance
        eps = (sigma * white).to(z_t.dtype)
        x0 = (mean + alpha * self.scale**2 * white).to(z_t.dtype)
        return Prediction.from_pair(eps, x0, z_t, *coefficients(self.path, t, z_t), self.kind)

    def log_ratio(self, x: Tensor, condition: Condition) -> Tensor:
        """The log-ratio log p(x | c) / p(x), (B,) nats, p(x) being the law of the empty prompt."""
        x = x.to(torch.float64)
        one = x.new_ones(1, 1)
        terms = [
            self._log_joint(x, c.tensors["weights"].log(), one, self.scale**2 * one).logsumexp(1)
            for c in (condition, self.null())
        ]
        return terms[0] - terms[1]

    def classify(self, x: Tensor) -> Tensor:
        """The nearest class, (B,) int64: the judge of the mixture world."""
        return torch.cdist(x.to(torch.float64), self.means).argmin(1)

    def _log_joint(self, z: Tensor, log_weights: Tensor, alpha: Tensor, variance: Tensor) -> Tensor:
        """The log of w_k N(z; alpha m_k, variance I), (B, K), up to a constant that all k share."""
        squares = ((z[:, None] - alpha[..., None] * self.means) ** 2).sum(-1)
        return log_weights - squares / (2 * variance)


def ring(
    classes: int,
    radius: float,
    scale: float,
    path: NoisePath,
    kind: PredictionKind = "epsilon",
) -> GaussianMixtureBackbone:
    """Classes evenly on a circle in the plane."""
    angles = torch.arange(classes, dtype=torch.float64) * (2 * math.pi / classes)
    means = radius * torch.stack([angles.cos(), angles.sin()], dim=1)
    return GaussianMixtureBackbone(means, scale, path, kind)
