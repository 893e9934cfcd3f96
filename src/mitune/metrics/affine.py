"""Layers without activations between them are one affine map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Affine:
    """x to w x + b in float64, with `weight` (D,) and `bias` ()."""

    weight: torch.Tensor
    bias: torch.Tensor

    @classmethod
    def folded(cls, state: Mapping[str, torch.Tensor], prefix: str) -> Affine:
        """The layers `prefix`N.weight and `prefix`N.bias, by rising N; the last has one output."""
        numbers = sorted(
            int(name.removeprefix(prefix).removesuffix(".weight"))
            for name in state
            if name.startswith(prefix) and name.endswith(".weight")
        )
        weight, bias = (state[f"{prefix}{numbers[0]}.{part}"].double() for part in _PARTS)
        for number in numbers[1:]:
            matrix, shift = (state[f"{prefix}{number}.{part}"].double() for part in _PARTS)
            weight, bias = matrix @ weight, matrix @ bias + shift
        return cls(weight.squeeze(0), bias.squeeze(0))

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """(N,) float64 on the CPU of `features` (N, D)."""
        return features.cpu().double() @ self.weight + self.bias


_PARTS = ("weight", "bias")
