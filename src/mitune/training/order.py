"""Which examples a step trains on."""

from __future__ import annotations

import torch
from torch import Tensor

from mitune.seeds import image_seed


def epoch_order(step: int, size: int, total: int, seed: int) -> Tensor:
    """Example indices (size,) of a step: every epoch is a fresh permutation of `total`.

    Whatever the batch size: the epochs follow each other within a batch.
    """
    first, last = step * size, (step + 1) * size
    epochs = range(first // total, (last - 1) // total + 1)
    order = torch.cat(
        [
            torch.randperm(
                total, generator=torch.Generator().manual_seed(image_seed("epoch", seed, epoch))
            )
            for epoch in epochs
        ]
    )
    offset = first - epochs[0] * total
    return order[offset : offset + size]


def group_order(step: int, size: int, total: int, group: int, seed: int) -> Tensor:
    """As `epoch_order`, but of whole groups of neighbours: each stays together, in its order."""
    groups = epoch_order(step, size // group, total // group, seed)
    return (groups[:, None] * group + torch.arange(group)).flatten()


def weighted_order(step: int, size: int, frequencies: Tensor, seed: int) -> Tensor:
    """Example indices (size,) of a step, drawn with replacement in proportion to `frequencies`."""
    generator = torch.Generator().manual_seed(image_seed("weighted", seed, step))
    return torch.multinomial(frequencies, size, replacement=True, generator=generator)
