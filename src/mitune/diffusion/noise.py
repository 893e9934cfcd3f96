"""Noise paths: how much signal and how much noise a latent holds at a model timestep.

A path is z_t = alpha(t) z_0 + sigma(t) eps with eps ~ N(0, I); its log-SNR is
lambda(t) = log(alpha^2 / sigma^2), strictly decreasing in t. Every estimator is written over
lambda, so that DDPM and rectified flow are two paths and not two codes.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from typing_extensions import Self

from mitune.diffusion.quadrature import trapezoid_weights


class NoisePath(ABC):
    """What the estimators and samplers know of a forward process.

    `t` is a tensor of model timesteps of any shape. The coefficients come back in its shape and
    on its device: float64 for float64 timesteps, float32 for all others.
    """

    @abstractmethod
    def alpha(self, t: Tensor) -> Tensor:
        """How much of z_0 is left, in [0, 1]."""

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor:
        """How much noise there is, in [0, 1]."""

    @abstractmethod
    def log_snr(self, t: Tensor) -> Tensor:
        """The log of alpha^2 / sigma^2; infinite where one of them is 0."""

    @abstractmethod
    def timesteps_at(self, log_snr: Tensor) -> Tensor:
        """The inverse of `log_snr`, of any shape."""

    @abstractmethod
    def sampling_times(self, steps: int) -> Tensor:
        """(steps,) evenly spaced timesteps from the noisiest on; after the last there is no noise.

        diffusers' `trailing` spacing; a flow is not shifted.
        """

    @property
    @abstractmethod
    def log_snr_range(self) -> tuple[float, float]:
        """The lowest and the highest log-SNR of the path."""

    def information_weights(self, times: Tensor) -> Tensor:
        """Half the log-SNR step of the grid `times` (n,): see `trapezoid_weights`."""
        return trapezoid_weights(self.log_snr(times.to("cpu", torch.float64)))


@dataclass(frozen=True, eq=False)
class DiscretePath(NoisePath):
    """A DDPM training grid, exactly: alpha_t = sqrt(abar_t), sigma_t = sqrt(1 - abar_t).

    `alphas_cumprod` is (T,), kept in float64 on the CPU; timesteps are 0-based. A fractional
    timestep (Euler and DPM grids) is read by interpolating the log-SNR linearly.

    Raises ValueError unless `alphas_cumprod` is one-dimensional, in [0, 1) and decreasing.
    """

    alphas_cumprod: Tensor

    def __post_init__(self) -> None:
        table = self.alphas_cumprod.detach().to("cpu", torch.float64)
        if table.ndim != 1 or len(table) < 2:
            raise ValueError(f"alphas_cumprod: expected (T,), T > 1; got {tuple(table.shape)}")
        if not (bool((table.diff() < 0).all()) and 0 <= float(table[-1]) < float(table[0]) < 1):
            raise ValueError("alphas_cumprod: values must decrease strictly within [0, 1)")
        object.__setattr__(self, "alphas_cumprod", table)

    @classmethod
    def from_betas(cls, betas: Tensor) -> Self:
        """The path of a variance schedule beta_t (T,): abar_t = prod_{s<=t} (1 - beta_s)."""
        return cls(torch.cumprod(1 - betas.detach().to("cpu", torch.float64), dim=0))

    @classmethod
    def scaled_linear(cls, num: int = 1000, start: float = 0.00085, end: float = 0.012) -> Self:
        """Stable Diffusion's schedule: sqrt(beta) linear in t."""
        roots = torch.linspace(math.sqrt(start), math.sqrt(end), num, dtype=torch.float64)
        return cls.from_betas(roots**2)

    @property
    def num_train_timesteps(self) -> int:
        """The length T of the training grid."""
        return len(self.alphas_cumprod)

    @cached_property
    def betas(self) -> Tensor:
        """beta_t = 1 - abar_t / abar_{t-1}, (T,) float64."""
        previous = torch.cat([self.alphas_cumprod.new_ones(1), self.alphas_cumprod[:-1]])
        return 1 - self.alphas_cumprod / previous

    @cached_property
    def _log_snr_tables(self) -> dict[torch.device, Tensor]:
        return {torch.device("cpu"): torch.logit(self.alphas_cumprod)}

    def _log_snr_table(self, device: torch.device) -> Tensor:
        # One copy per device: a host-to-device transfer in every sampling step is a stall.
        if device not in self._log_snr_tables:
            self._log_snr_tables[device] = self._log_snr_tables[torch.device("cpu")].to(device)
        return self._log_snr_tables[device]

    def _log_snr64(self, t: Tensor) -> Tensor:
        table = self._log_snr_table(t.device)
        exact = t.to(torch.float64)
        low = exact.floor().long()
        high = exact.ceil().long()
        # On the grid the neighbour must not be touched: with zero terminal SNR it is -inf.
        between = torch.where(low == high, 0.0, (exact - low) * (table[high] - table[low]))
        return table[low] + between

    def alpha(self, t: Tensor) -> Tensor:
        """Exactly sqrt(abar_t) on the grid."""
        return torch.sigmoid(self._log_snr64(t)).sqrt().to(_dtype_of(t))

    def sigma(self, t: Tensor) -> Tensor:
        """Exactly sqrt(1 - abar_t) on the grid."""
        return torch.sigmoid(-self._log_snr64(t)).sqrt().to(_dtype_of(t))

    def log_snr(self, t: Tensor) -> Tensor:
        """The logit of abar_t, linear between grid points."""
        return self._log_snr64(t).to(_dtype_of(t))

    def timesteps_at(self, log_snr: Tensor) -> Tensor:
        """The training timestep nearest in log-SNR, int64, in the shape of `log_snr`.

        The log-SNRs nearest to a timestep form a cell of exactly its trapezoid width, so drawing
        log-SNRs uniformly and rounding them is unbiased for the trapezoid sum over the grid.
        """
        ascending = self._log_snr_table(log_snr.device).flip(0).contiguous()
        midpoints = (ascending[1:] + ascending[:-1]) / 2
        cell = torch.searchsorted(midpoints, log_snr.to(torch.float64).contiguous())
        return len(ascending) - 1 - cell

    def sampling_times(self, steps: int) -> Tensor:
        """int64. Raises ValueError for more steps than the grid has."""
        total = self.num_train_timesteps
        if steps > total:
            raise ValueError(f"steps: {steps} is more than the {total} timesteps of the model")
        return (total - torch.arange(steps) * (total / steps)).round().long() - 1

    @property
    def log_snr_range(self) -> tuple[float, float]:
        """The two ends of the training grid."""
        table = self._log_snr_table(torch.device("cpu"))
        return float(table[-1]), float(table[0])


@dataclass(frozen=True)
class RectifiedFlowPath(NoisePath):
    """Rectified flow in diffusers' time: alpha = 1 - s, sigma = s, s = t / T, t in [0, T].

    lambda = 2 log((1 - s) / s) is infinite at both ends: -inf at t = T, +inf at t = 0.
    """

    num_train_timesteps: int = 1000

    def alpha(self, t: Tensor) -> Tensor:
        """The fraction 1 - t / T."""
        return 1 - self.sigma(t)

    def sigma(self, t: Tensor) -> Tensor:
        """The fraction t / T."""
        return t.to(_dtype_of(t)) / self.num_train_timesteps

    def log_snr(self, t: Tensor) -> Tensor:
        """2 log((1 - s) / s)."""
        s = self.sigma(t)
        return 2 * (torch.log1p(-s) - torch.log(s))

    def timesteps_at(self, log_snr: Tensor) -> Tensor:
        """The t = T / (1 + exp(lambda / 2)), in the shape and floating type of `log_snr`."""
        return self.num_train_timesteps * torch.sigmoid(-log_snr / 2)

    def sampling_times(self, steps: int) -> Tensor:
        """float32, from T on."""
        return self.num_train_timesteps * (1 - torch.arange(steps) / steps)

    @property
    def log_snr_range(self) -> tuple[float, float]:
        """Unbounded."""
        return -math.inf, math.inf


def coefficients(path: NoisePath, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """(alpha, sigma) of the timesteps `t` (B,), shaped (B, 1, ...) to multiply `like` (B, ...).

    At least float32, float64 if `like` is: half-precision latents do not round the schedule.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    t = t.to(torch.float64) if dtype == torch.float64 else t
    shape = (-1, *[1] * (like.ndim - 1))
    return path.alpha(t).to(dtype).view(shape), path.sigma(t).to(dtype).view(shape)


def add_noise(path: NoisePath, z0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """z_t = alpha(t) z_0 + sigma(t) eps, in the type of `z0` (B, ...); `t` is (B,).

    `noise` has the shape of `z0`, or one that broadcasts to it (one noise for a whole batch).
    """
    alpha, sigma = coefficients(path, t, z0)
    return (alpha * z0 + sigma * noise).to(z0.dtype)


def _dtype_of(t: Tensor) -> torch.dtype:
    return torch.float64 if t.dtype == torch.float64 else torch.float32
