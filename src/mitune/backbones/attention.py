"""Reading and changing the attention of a UNet, without a trace once done.

Everything hangs on hooks of the projections to queries, keys and values, so whatever processor the
network computes attention with (fused kernels too) stays, and so do its outputs where only maps are
read. Adapters must be fused before, and compilation come after: a hook is not compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

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

    def map(self, queries: Tensor, keys: Tensor) -> Tensor:
        """softmax(Q K^T / sqrt(d)) averaged over heads: (B, N, L), rows summing to 1.

        In float32 at least. `queries` (B, N, C) and `keys` (B, L, C) are what the layer's
        projections give.
        """
        heads, dtype = self.module.heads, torch.promote_types(queries.dtype, torch.float32)
        q, k = (x.to(dtype).unflatten(-1, (heads, -1)).transpose(1, 2) for x in (queries, keys))
        return (q @ k.transpose(-1, -2) * self.module.scale).softmax(dim=-1).mean(dim=1)


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


class _LastMapTaken(Exception):
    pass


@contextmanager
def attention_maps(
    layers: Sequence[AttentionLayer],
    take: Callable[[AttentionLayer, Tensor], None],
    leave_after_last: bool = False,
) -> Iterator[None]:
    """Give `take` each layer of `layers` and its map, as a network call in the block comes to it.

    Differentiable where gradients are recorded. With `leave_after_last` the block ends as soon as
    the last layer's map is taken, since nothing else of the network is wanted.
    """
    queries: dict[nn.Module, Tensor] = {}
    layer_of = {layer.module.to_k: layer for layer in layers}

    def keep_queries(to_q: nn.Module, _inputs: Any, output: Tensor) -> None:
        queries[to_q] = output

    def take_map(to_k: nn.Module, _inputs: Any, output: Tensor) -> None:
        layer = layer_of[to_k]
        take(layer, layer.map(queries.pop(layer.module.to_q), output))
        if leave_after_last and layer is layers[-1]:
            raise _LastMapTaken

    with ExitStack() as hooks:
        for layer in layers:
            hooks.callback(layer.module.to_q.register_forward_hook(keep_queries).remove)
            hooks.callback(layer.module.to_k.register_forward_hook(take_map).remove)
        with suppress(_LastMapTaken):
            yield


@contextmanager
def values_from(layers: Sequence[AttentionLayer], texts: Tensor) -> Iterator[None]:
    """Let cross-attention take its values from `texts` (B, L, D), keys as before, in the block."""
    with ExitStack() as hooks:
        for layer in layers:
            to_v = layer.module.to_v
            hooks.callback(to_v.register_forward_pre_hook(lambda _to_v, _inputs: (texts,)).remove)
        yield
