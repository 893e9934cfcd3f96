"""Depth from one picture."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class DepthEstimator(Protocol):
    """Which part of a picture is nearer than which."""

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, H, W) in [0, 1] of `images` (N, H, W, 3) uint8 RGB; larger is nearer.

        Picture by picture the farthest is 0 and the nearest 1; all 0 where nothing is nearer.
        """
        ...
