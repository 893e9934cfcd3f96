"""Find things by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mitune.metrics.boxes import Boxes


class Detector(Protocol):
    """Looks in picture i for what is named in queries[i]."""

    def __call__(self, images: NDArray[np.uint8], queries: Sequence[Sequence[str]]) -> list[Boxes]:
        """Boxes of each of `images` (N, H, W, 3) uint8 RGB, in its pixels, labelled by query.

        What is found in a picture depends on it and its own queries only.
        """
        ...
