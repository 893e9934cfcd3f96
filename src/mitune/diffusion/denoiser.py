"""The narrow door to a model: a noise path, and predictions under a condition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from mitune.diffusion.noise import NoisePath
from mitune.diffusion.prediction import Prediction


@dataclass(frozen=True, eq=False)
class Condition:
    """What a model is conditioned on: named tensors, batch first, opaque to everyone but it.

    SD holds one tensor, SDXL adds pooled embeddings and time ids, SD3 three encoders.

    Raises ValueError if there is no tensor or the batch sizes disagree.
    """

    tensors: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        sizes = {name: tensor.shape[0] for name, tensor in self.tensors.items() if tensor.ndim}
        if not sizes or len(sizes) != len(self.tensors) or len(set(sizes.values())) != 1:
            raise ValueError(f"tensors: one common batch size is needed, got {sizes}")

    def __len__(self) -> int:
        return next(iter(self.tensors.values())).shape[0]

    def __getitem__(self, rows: slice | Tensor | Sequence[int]) -> "Condition":
        """The chosen rows, still batched; a bare integer is refused, since it drops the batch."""
        if isinstance(rows, int):
            raise TypeError(f"index with a slice, list or tensor: [{rows}:{rows + 1}]")
        index = rows if isinstance(rows, slice | Tensor) else list(rows)
        return Condition({name: tensor[index] for name, tensor in self.tensors.items()})

    @staticmethod
    def cat(conditions: Sequence["Condition"]) -> "Condition":
        """One batch after the other. Raises ValueError if they do not name the same tensors."""
        names = [tuple(sorted(condition.tensors)) for condition in conditions]
        if len(set(names)) != 1:
            raise ValueError(f"conditions: cannot concatenate different tensors: {names}")
        return Condition(
            {name: torch.cat([c.tensors[name] for c in conditions]) for name in names[0]}
        )

    def expand(self, n: int) -> "Condition":
        """A single condition as a batch of n (no copy); a batch of n as it is.

        Raises ValueError for any other batch size.
        """
        if len(self) == n:
            return self
        if len(self) != 1:
            raise ValueError(f"condition: cannot expand a batch of {len(self)} to {n}")
        return Condition({k: t.expand(n, *t.shape[1:]) for k, t in self.tensors.items()})

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "Condition":
        """Moved to `device`; floating tensors, and only these, cast to `dtype`."""
        return Condition(
            {
                name: tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)
                for name, tensor in self.tensors.items()
            }
        )


def in_dtype_of(network: nn.Module, z_t: Tensor) -> Tensor:
    """`z_t` as the network computes; a denoiser gives its prediction back in that of `z_t`."""
    return z_t.to(next(network.parameters()).dtype)


class Denoiser(Protocol):
    """A model as guidance, samplers, estimators and objectives see it."""

    @property
    def path(self) -> NoisePath:
        """The forward process the model was trained on."""
        ...

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """The prediction at `z_t` (B, ...) for the timesteps `t` (B,) and B conditions."""
        ...


class HasDenoiser(Protocol):
    """A model of which only predictions are needed."""

    @property
    def denoiser(self) -> Denoiser: ...
