"""DoRA's norms from small products: peft's layer, but for the one thing that makes it slow."""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora.dora import DoraLinearLayer
from peft.tuners.lora.layer import LoraLayer
from torch import Tensor, nn


@torch.no_grad()
def row_norms(weight: Tensor, a: Tensor, b: Tensor, scaling: float) -> Tensor:
    """||W + s B A|| of each row, (out,), at least float32; W (out, in), A (r, in), B (out, r).

    With B A never formed: the square is ||W||^2 + sum_k B_ok (2 s W A^T + s^2 B (A A^T))_ok, whose
    largest part has r columns. No gradient passes, as in DoRA (sec. 4.3) and in peft.
    """
    with torch.autocast(weight.device.type, enabled=False):
        w, a, b = (
            part.to(torch.promote_types(part.dtype, torch.float32)) for part in (weight, a, b)
        )
        products = torch.addmm(w @ a.T, b, a @ a.T, beta=2 * scaling, alpha=scaling**2)
        squares = torch.linalg.vecdot(w, w) + torch.linalg.vecdot(products, b)
        return squares.clamp_(min=0).sqrt_()


def _at_least_single(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


class GramDora(DoraLinearLayer):
    """peft's layer with `row_norms`; its weights, its name in files and its merging are peft's."""

    def __init__(self, layer: DoraLinearLayer) -> None:
        super().__init__(layer.fan_in_fan_out)
        self.weight = layer.weight

    def forward(
        self,
        x: Tensor,
        *,
        lora_A: nn.Linear,
        lora_B: nn.Linear,
        scaling: float,
        base_layer: nn.Linear,
        base_result: Tensor | None = None,
        adapter_name: str = "default",
    ) -> Tensor:
        """What is added to W x + b: (m / n) (W x + s B A x) - W x, with n the norms."""
        norms = row_norms(base_layer.weight, lora_A.weight, lora_B.weight, scaling)
        scale = self.weight / norms.to(self.weight.dtype)
        bias: Tensor | None = base_layer.bias
        if base_result is None:
            base_result, bias = nn.functional.linear(x, base_layer.weight.to(x.dtype)), None
        both = torch.add(base_result, lora_B(lora_A(x)), alpha=scaling)
        if bias is None:
            return scale * both - base_result
        # b is within W x + b twice: what it is scaled by is taken back on `out` numbers alone.
        return torch.addcmul((1 - scale) * bias, scale, both) - base_result


def use_gram(network: nn.Module, fresh: bool = False) -> None:
    """Let every adapted linear layer of `network` have its norms this way.

    `fresh`: adapters that have learned nothing, whose magnitudes are these norms to the last bit,
    so that they change nothing.
    """
    for module in network.modules():
        if isinstance(module, LoraLayer):
            vectors: Any = module.lora_magnitude_vector
            for name, layer in list(vectors.items()):
                if type(layer) is DoraLinearLayer and not layer.fan_in_fan_out:
                    vectors[name] = GramDora(layer)
                    if fresh:
                        _start(vectors[name], module, name)


@torch.no_grad()
def _start(layer: GramDora, module: Any, name: str) -> None:
    a, b = module.lora_A[name].weight, module.lora_B[name].weight
    norms = row_norms(module.get_base_layer().weight, a, b, module.scaling[name])
    layer.weight.copy_(norms)
