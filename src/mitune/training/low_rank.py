"""A layer's change of low rank, LoRA or DoRA, and the exact weighted mean of several of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_CANCELLED = 1e-4  # of the row scales that are added up


@dataclass(frozen=True)
class LowRank:
    """A layer W (out, in) with an adapter on it: V = W + up down, as it is (LoRA) or rescaled.

    DoRA (Liu et al. 2024, eq. 5) gives the rows of V the norms `magnitude`, as peft does. Without
    one, `magnitude` is None. `down` (r, in) is A; `up` (out, r) is alpha / r times B; `magnitude`
    (out,). A convolution counts as the matrix (out, in * height * width).
    """

    down: Tensor
    up: Tensor
    magnitude: Tensor | None = None

    def row_scale(self, weight: Tensor) -> Tensor:
        """Factors d (out,) of V's rows in the layer's weight diag(d) V: 1 for LoRA.

        0 for a row of norm zero, which has no direction (peft divides by zero there).
        """
        if self.magnitude is None:
            return weight.new_ones(len(weight))
        norm = (weight + self.up @ self.down).norm(dim=1)
        return torch.where(norm == 0, 0.0, self.magnitude / norm)

    def effective(self, weight: Tensor) -> Tensor:
        """The layer's weight (out, in) with this adapter fused into it."""
        return self.row_scale(weight)[:, None] * (weight + self.up @ self.down)


@dataclass(frozen=True)
class LayerMean:
    """The mean in one layer. Frobenius norms: `moved` of what it changes, `lost` by truncation."""

    adapter: LowRank
    moved: float
    lost: float


def mean(
    weight: Tensor,
    adapters: Sequence[LowRank | None],
    shares: Sequence[float],
    *,
    dora: bool,
    rank: int | None = None,
) -> LayerMean:
    r"""The adapter whose weight is the mean of the adapters' weights, sum_k share_k W'_k.

    With W'_k = diag(d_k) (W + U_k A_k) the mean is diag(D) (W + U A), where D = sum_k share_k d_k,
    A stacks the A_k and U = diag(1/D) [share_1 diag(d_1) U_1, ...]: one DoRA adapter, of the sum of
    the ranks, with magnitude D times the row norms of W + U A (MI-TUNE E.3 takes the mean of "the
    DoRA weights" and leaves open of which; that of the parameters is another model). If all are
    LoRA, D = 1 and so is the mean: peft's `cat`.

    Parameters
    ----------
    weight
        The base's (out, in).
    adapters
        None: the base as it is, in a layer that this adapter leaves alone.
    shares
        One for each; they add up to 1. A negative one moves away from its adapter.
    dora
        Whether to return DoRA; it must be if one of the adapters is.
    rank
        Keep that much of diag(D) U A by its singular values, the best of that rank for D.

    Raises
    ------
    ValueError
        If negative shares cancel a row of the base (D = 0): no adapter of finite size is the mean.
    """
    share = weight.new_tensor(shares)[:, None]
    base = weight.new_ones(len(weight))
    scales = torch.stack([base if a is None else a.row_scale(weight) for a in adapters])
    parts = [
        (scale[:, None] * adapter.up, adapter.down)
        for scale, adapter in zip(share * scales, adapters, strict=True)
        if adapter is not None
    ]
    scaled_up = torch.cat([up for up, _ in parts], dim=1)
    down = torch.cat([down for _, down in parts])
    scale = (share * scales).sum(0)
    moved = float((scale[:, None] * weight + scaled_up @ down - weight).norm())
    lost = 0.0
    if rank is not None and rank < len(down):
        scaled_up, down, lost = truncated(scaled_up, down, rank)
    if not dora:
        return LayerMean(LowRank(down, scaled_up), moved, lost)
    added_up = (share * scales).abs().sum(0)
    if ((scale.abs() <= _CANCELLED * added_up) & (added_up > 0)).any():
        raise ValueError("the weights cancel a row of the base model")
    up = scaled_up / torch.where(scale == 0, 1.0, scale)[:, None]
    norm = (weight + up @ down).norm(dim=1)
    # Of a zero row no direction is left, and peft divides by its norm: take any, with magnitude 0.
    up[norm == 0, int(down.norm(dim=1).argmax())] = 1.0
    return LayerMean(LowRank(down, up, scale * norm), moved, lost)


def truncated(up: Tensor, down: Tensor, rank: int) -> tuple[Tensor, Tensor, float]:
    """The nearest product (out, rank) (rank, in) to `up` `down`, and its distance (Frobenius).

    The rows of the second factor are orthonormal. Eckart and Young (1936); the decomposition is of
    the two small factors, never of the layer.
    """
    left, core_left = torch.linalg.qr(up)
    right, core_right = torch.linalg.qr(down.T)
    u, values, vh = torch.linalg.svd(core_left @ core_right.T)
    kept = left @ u[:, :rank] * values[:rank]
    return kept, vh[:rank] @ right.T, float(values[rank:].norm())


def parameter_mean(adapters: Sequence[LowRank | None], shares: Sequence[float]) -> LowRank | None:
    """The mean of A, of B and of the magnitudes, each by itself, to compare with.

    It is another model: the mean of products is not the product of means. None where adapters
    differ in shape or layers, so that there is none.
    """
    present = [adapter for adapter in adapters if adapter is not None]
    shapes = {(adapter.up.shape, adapter.magnitude is None) for adapter in present}
    if len(present) < len(adapters) or len(shapes) > 1:
        return None

    def average(tensors: Sequence[Tensor]) -> Tensor:
        return torch.einsum("k,k...->...", tensors[0].new_tensor(shares), torch.stack([*tensors]))

    magnitudes = [adapter.magnitude for adapter in present if adapter.magnitude is not None]
    return LowRank(
        average([adapter.down for adapter in present]),
        average([adapter.up for adapter in present]),
        average(magnitudes) if magnitudes else None,
    )
