"""Reading and changing the attention of a UNet, without a trace once done.

Everything hangs on hooks of attention and its projections, so whatever processor the network
computes it with (fused kernels too) stays, and so do its outputs where only maps are read. Adapters
must be fused before, and compilation come after: a hook is not compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

from mitune.backbones.attention import Attention, AttentionLayer


class _LastTaken(Exception):
    pass


@contextmanager
def watched(
    layers: Sequence[AttentionLayer],
    take: Callable[[Attention], None],
    leave_after_last: bool = False,
) -> Iterator[None]:
    """Give `take` the attention of each layer, as a network call in the block comes to it.

    Differentiable where gradients are recorded. With `leave_after_last` the block ends as soon as
    the last layer's is taken, since nothing else of the network is wanted.
    """
    queries: dict[nn.Module, Tensor] = {}
    layer_of = {layer.module.to_k: layer for layer in layers}

    def keep_queries(to_q: nn.Module, _inputs: Any, output: Tensor) -> None:
        queries[to_q] = output

    def take_attention(to_k: nn.Module, _inputs: Any, output: Tensor) -> None:
        layer = layer_of[to_k]
        take(Attention(layer, queries.pop(layer.module.to_q), output))
        if leave_after_last and layer is layers[-1]:
            raise _LastTaken

    with ExitStack() as hooks:
        for layer in layers:
            hooks.callback(layer.module.to_q.register_forward_hook(keep_queries).remove)
            hooks.callback(layer.module.to_k.register_forward_hook(take_attention).remove)
        with suppress(_LastTaken):
            yield


@contextmanager
def values_from(layers: Sequence[AttentionLayer], texts: Tensor) -> Iterator[None]:
    """Let cross-attention take its values from `texts` (B, L, D), keys as before, in the block."""
    with ExitStack() as hooks:
        for layer in layers:
            to_v = layer.module.to_v
            hooks.callback(to_v.register_forward_pre_hook(lambda _to_v, _inputs: (texts,)).remove)
        yield


@contextmanager
def keys_from(
    layers: Sequence[AttentionLayer], texts: Tensor, shares: Tensor, values: Tensor
) -> Iterator[None]:
    """Let cross-attention be sum_i shares_i softmax(Q K(texts_i)^T) V(values) in the block.

    `texts` (B, k, L, D), `shares` (B, k) that add up to 1, `values` (B, L, D). A layer is called
    once, on k B rows. What it does after attention is linear: the mean of outputs is that of means.
    """
    count = texts.shape[1]
    keys, every = texts.flatten(0, 1), values.repeat_interleave(count, dim=0)

    def ask_all(
        _layer: nn.Module, inputs: Any, named: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        pixels, *others = inputs
        repeated = pixels.repeat_interleave(count, dim=0)
        return (repeated, *others), {**named, "encoder_hidden_states": keys}

    def share(_layer: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        return torch.einsum("bk,bknc->bnc", shares.to(output), output.unflatten(0, (-1, count)))

    with ExitStack() as hooks:
        for layer in layers:
            ask = layer.module.register_forward_pre_hook(ask_all, with_kwargs=True)
            hooks.callback(ask.remove)
            hooks.callback(layer.module.register_forward_hook(share).remove)
        with values_from(layers, every):
            yield
