"""The attention of a UNet: its layers by grid, and what one of them attends to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from mitune import libraries
from mitune.errors import UserError


@dataclass(frozen=True, eq=False)
class AttentionLayer:
    """One attention, on the latent's grid `downsampling` times coarser."""

    module: Any  # diffusers' Attention
    downsampling: int

    @property
    def is_cross(self) -> bool:
        """Whether its keys are a text's, not the latent's own."""
        return bool(self.module.is_cross_attention)


@dataclass(frozen=True, eq=False)
class Attention:
    """A = softmax(Q K^T / sqrt(d)) of a layer in one call, averaged over heads: (B, N, L).

    `queries` (B, N, C) and `keys` (B, L, C) are what the layer's projections give. All is computed
    in float32 at least.
    """

    layer: AttentionLayer
    queries: Tensor
    keys: Tensor

    def map(self) -> Tensor:
        """A itself; its rows add up to 1."""
        q, k = self._heads
        return (q @ k.transpose(-1, -2) * self.layer.module.scale).softmax(dim=-1).mean(dim=1)

    def average(self, values: Tensor) -> Tensor:
        """A V (B, N, D) of `values` V (B, L, D), in memory that grows with N D, not with N L."""
        q, k = self._heads
        every = values.to(q.dtype)[:, None].expand(-1, q.shape[1], -1, -1)
        width = max(q.shape[-1], every.shape[-1])
        # Zeros change no product; without them kernels that spare memory do not apply.
        q, k, every = (functional.pad(x, (0, width - x.shape[-1])) for x in (q, k, every))
        mixed = functional.scaled_dot_product_attention(q, k, every, scale=self.layer.module.scale)
        return mixed[..., : values.shape[-1]].mean(dim=1)

    @property
    def _heads(self) -> tuple[Tensor, Tensor]:
        heads, dtype = self.layer.module.heads, self.queries.dtype
        q, k = (
            x.to(torch.promote_types(dtype, torch.float32)).unflatten(-1, (heads, -1))
            for x in (self.queries, self.keys)
        )
        return q.transpose(1, 2), k.transpose(1, 2)


def attention_layers(
    network: nn.Module, kind: Literal["cross", "self"], downsamplings: Sequence[int] | None = None
) -> tuple[AttentionLayer, ...]:
    """Layers in the order of execution, on the grids asked for or all; at least one.

    Raises
    ------
    UserError
        If the network is no UNet (Stable Diffusion 3 joins texts and image in one attention, where
        neither has maps of the other alone), or has no such layer.
    """
    if not isinstance(network, libraries.diffusers.UNet2DConditionModel):
        raise UserError(
            f"guidance: needs a UNet's {kind}-attention, and {type(network).__name__} attends to "
            "texts and image jointly; use kind: classifier_free"
        )
    every = [layer for layer in _all_layers(network) if layer.is_cross == (kind == "cross")]
    chosen = [e for e in every if downsamplings is None or e.downsampling in downsamplings]
    if not chosen:
        available = ", ".join(str(d) for d in sorted({e.downsampling for e in every})) or "none"
        raise UserError(
            f"guidance: no {kind}-attention where the latent is downsampled by "
            f"{', '.join(map(str, downsamplings or ()))}; this network has it at {available}"
        )
    return tuple(chosen)


def grids_near(network: nn.Module, sides: Sequence[int]) -> tuple[int, ...]:
    """Downsamplings at which cross-attention has a grid of one of the `sides`; at least one.

    If there is none of any, the one whose side is nearest in ratio to the first. Of a latent of the
    size that the network was made for.

    Raises
    ------
    UserError
        As `attention_layers`.
    """
    there = sorted({layer.downsampling for layer in attention_layers(network, "cross")})
    config: Any = network.config
    size = config.sample_size
    height, width = (size, size) if isinstance(size, int) else size
    side_of = {grid: math.sqrt(height * width) / grid for grid in there}
    found = tuple(grid for grid in there if side_of[grid] in sides)
    return found or (min(there, key=lambda grid: abs(math.log2(side_of[grid] / sides[0]))),)


def _all_layers(unet: Any) -> Iterator[AttentionLayer]:
    """A UNet with n levels halves the grid after each but the last."""
    deepest = len(unet.down_blocks) - 1
    blocks = [
        *((block, level) for level, block in enumerate(unet.down_blocks)),
        (unet.mid_block, deepest),
        *((block, deepest - i) for i, block in enumerate(unet.up_blocks)),
    ]
    attention = libraries.diffusers.models.attention_processor.Attention
    for block, level in blocks:
        for module in block.modules() if block is not None else ():
            if isinstance(module, attention):
                yield AttentionLayer(module, 2**level)
