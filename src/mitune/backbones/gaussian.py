"""The exact backbone: a linear-Gaussian model whose denoisers and information are closed forms.

Y ~ N(0, I_k), X | y ~ N(A y, s^2 I_d), hence X ~ N(0, A A^T + s^2 I). It is what the estimators
are judged against.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from typing_extensions import Self

from mitune.diffusion.denoiser import Condition
from mitune.diffusion.noise import NoisePath, coefficients
from mitune.diffusion.prediction import Prediction, PredictionKind


@dataclass(frozen=True, eq=False)
class GaussianBackbone:
    """A Denoiser for X | y ~ N(A y, s^2 I), exact on any noise path.

    `matrix` is A (d, k), `scale` is s > 0. A condition holds `y` (B, k) and `is_null` (B,): a null
    row is denoised under the marginal law. Latents are (B, *shape) with d elements each, `shape`
    (d,) unless given. Computed in float64 on the CPU, returned in the type of the latent. A flow
    sampler starts at alpha = 0, where only the kinds `flow` and `v_prediction` define x0.

    Raises ValueError if `scale` is not positive or `shape` does not hold d elements.
    """

    matrix: Tensor
    scale: float
    path: NoisePath
    kind: PredictionKind = "epsilon"
    shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.scale <= 0:
            raise ValueError(f"scale: must be positive, got {self.scale}")
        if self.shape is not None and math.prod(self.shape) != len(self.matrix):
            raise ValueError(f"shape: {self.shape} does not hold {len(self.matrix)} elements")
        object.__setattr__(self, "matrix", self.matrix.to(torch.float64))

    @property
    def denoiser(self) -> Self:
        """Itself."""
        return self

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of one latent."""
        return self.shape or (len(self.matrix),)

    @cached_property
    def _spectrum(self) -> tuple[Tensor, Tensor]:
        """Eigenvalues (d,) and eigenvectors (d, d) of Cov X = A A^T + s^2 I."""
        covariance = self.matrix @ self.matrix.T
        gains, basis = torch.linalg.eigh(covariance)
        return gains.clamp(min=0) + self.scale**2, basis

    def condition(self, y: Tensor) -> Condition:
        """The condition for `y` (B, k)."""
        return Condition({"y": y.to(torch.float64), "is_null": torch.zeros(len(y)).bool()})

    def null(self, n: int = 1) -> Condition:
        """A batch of n empty prompts."""
        y = self.matrix.new_zeros(n, self.matrix.shape[1])
        return Condition({"y": y, "is_null": torch.ones(n).bool()})

    def sample(self, y: Tensor, generator: torch.Generator) -> Tensor:
        """Exact samples X | y, (B, *shape) float64, for `y` (B, k)."""
        mean = self._mean(y)
        noise = torch.randn(mean.shape, generator=generator, dtype=torch.float64)
        return (mean + self.scale * noise).view(-1, *self.latent_shape)

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """E[eps | z_t, c] and E[x0 | z_t, c] for `z_t` (B, *shape), `t` (B,).

        With C = Cov X or s^2 I, m the mean, V = alpha^2 C + sigma^2 I:
        eps = sigma V^-1 (z_t - alpha m), x0 = m + alpha C V^-1 (z_t - alpha m).
        """
        z = z_t.flatten(1).to(torch.float64)
        alpha, sigma = coefficients(self.path, t, z)
        variances, basis = self._spectrum

        mean = self._mean(condition.tensors["y"])
        white_c = (z - alpha * mean) / (alpha**2 * self.scale**2 + sigma**2)
        white_u = z @ basis / (alpha**2 * variances + sigma**2)

        null = condition.tensors["is_null"][:, None]
        eps = sigma * torch.where(null, white_u @ basis.T, white_c)
        x0_c = mean + alpha * self.scale**2 * white_c
        x0 = torch.where(null, alpha * (white_u * variances) @ basis.T, x0_c)

        eps, x0 = (v.view(z_t.shape).to(z_t.dtype) for v in (eps, x0))
        return Prediction.from_pair(eps, x0, z_t, *coefficients(self.path, t, z_t), self.kind)

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """The log-ratio log p(x | y) / p(x), (B,) nats, for `x` (B, *shape) and `y` (B, k)."""
        x = x.flatten(1).to(torch.float64)
        variances, basis = self._spectrum
        conditional = ((x - self._mean(y)) ** 2).sum(1) / self.scale**2
        marginal = ((x @ basis) ** 2 / variances).sum(1)
        return (marginal - conditional) / 2 + self.mutual_information()

    def kl(self, y: Tensor) -> Tensor:
        """KL(p(x | y) || p(x)), (B,) nats: the point-wise mutual information of each `y` (B, k)."""
        variances, basis = self._spectrum
        trace = (self.scale**2 / variances - 1).sum()
        shift = ((self._mean(y) @ basis) ** 2 / variances).sum(1)
        return (trace + shift) / 2 + self.mutual_information()

    def mutual_information(self) -> float:
        """I(X; Y) = 1/2 log det(A A^T / s^2 + I), nats."""
        variances, _ = self._spectrum
        return float(torch.log(variances / self.scale**2).sum() / 2)

    def _mean(self, y: Tensor) -> Tensor:
        return y.to(torch.float64) @ self.matrix.T


def isotropic(
    d: int,
    scale: float,
    path: NoisePath,
    kind: PredictionKind = "epsilon",
    shape: tuple[int, ...] | None = None,
) -> GaussianBackbone:
    """X | y ~ N(y, s^2 I_d): the model of the published tables (methods 3.6 and 4.4)."""
    eye = torch.eye(d, dtype=torch.float64)
    return GaussianBackbone(eye, scale, path, kind, shape)
