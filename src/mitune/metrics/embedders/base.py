"""An embedder: pictures in, one vector per picture out, for distances between sets of pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from mitune.metrics.base import batches


class Embedder(Protocol):
    """Describes pictures by vectors."""

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(N, D) of `images` (N, H, W, 3) uint8 RGB; independent of batch composition."""
        ...


def batched(
    features: Callable[[NDArray[np.uint8]], torch.Tensor], images: NDArray[np.uint8], size: int
) -> NDArray[np.float64]:
    """`features` of all images, `size` at a time."""
    vectors = [features(images[part]).double().cpu() for part in batches(len(images), size)]
    return torch.cat(vectors).numpy()
