"""What a network says about a noisy latent, in whichever parametrisation it was trained.

z_t = alpha x0 + sigma eps ties the two unknowns; the network's raw output is a second linear
equation, raw = a eps + b x0. Solving the pair gives every representation from every other one.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor
from typing_extensions import Self

PredictionKind = Literal["epsilon", "sample", "v_prediction", "flow"]


@dataclass(frozen=True, eq=False)
class Prediction:
    """A prediction at `z_t` (B, ...): `raw` (B, ...) and the coefficients (B, 1, ...).

    Kinds, with diffusers' names for the first three: `epsilon` raw = eps, `sample` raw = x0,
    `v_prediction` raw = alpha eps - sigma x0 (Salimans and Ho), `flow` raw = eps - x0.

    A division appears only where the algebra has one: x0 from eps at alpha = 0, and eps from x0
    at sigma = 0, are undefined and come back non-finite.

    Raises ValueError for an unknown kind.
    """

    raw: Tensor
    kind: PredictionKind
    z_t: Tensor
    alpha: Tensor
    sigma: Tensor

    def __post_init__(self) -> None:
        _check(self.kind)

    @classmethod
    def from_pair(
        cls,
        eps: Tensor,
        x0: Tensor,
        z_t: Tensor,
        alpha: Tensor,
        sigma: Tensor,
        kind: PredictionKind,
    ) -> Self:
        """The prediction of the given kind that stands for a consistent (eps, x0)."""
        _check(kind)
        match kind:
            case "epsilon":
                raw = eps
            case "sample":
                raw = x0
            case "v_prediction":
                raw = alpha * eps - sigma * x0
            case "flow":
                raw = eps - x0
        return cls(raw, kind, z_t, alpha, sigma)

    @property
    def eps(self) -> Tensor:
        """The predicted noise, (B, ...)."""
        match self.kind:
            case "epsilon":
                return self.raw
            case "sample":
                return (self.z_t - self.alpha * self.raw) / self.sigma
            case "v_prediction":
                return (self.sigma * self.z_t + self.alpha * self.raw) / self._power
            case "flow":
                return (self.z_t + self.alpha * self.raw) / (self.alpha + self.sigma)

    @property
    def x0(self) -> Tensor:
        """The predicted clean latent, (B, ...)."""
        match self.kind:
            case "epsilon":
                return (self.z_t - self.sigma * self.raw) / self.alpha
            case "sample":
                return self.raw
            case "v_prediction":
                return (self.alpha * self.z_t - self.sigma * self.raw) / self._power
            case "flow":
                return (self.z_t - self.sigma * self.raw) / (self.alpha + self.sigma)

    @property
    def flow(self) -> Tensor:
        """The velocity of rectified flow, eps - x0, (B, ...), pointing to the noise."""
        return self.to_kind("flow").raw

    @property
    def _power(self) -> Tensor:
        return self.alpha**2 + self.sigma**2

    def to_kind(self, kind: PredictionKind) -> "Prediction":
        """The same prediction in another parametrisation; itself if the kind is its own."""
        if kind == self.kind:
            return self
        return Prediction.from_pair(self.eps, self.x0, self.z_t, self.alpha, self.sigma, kind)

    def __getitem__(self, rows: slice) -> "Prediction":
        """The rows of a batched prediction, e.g. one half of a guided pair."""
        alpha, sigma = (
            c[rows] if c.ndim and len(c) == len(self.z_t) else c for c in (self.alpha, self.sigma)
        )
        return Prediction(self.raw[rows], self.kind, self.z_t[rows], alpha, sigma)


def _check(kind: str) -> None:
    if kind not in get_args(PredictionKind):
        raise ValueError(f"kind: {kind!r} is not one of {', '.join(get_args(PredictionKind))}")
