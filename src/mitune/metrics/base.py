"""A score: images and prompts in, one number per image out, with where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mitune.errors import UserError


class Scorer(Protocol):
    """Scores picture i against prompt i."""

    def __call__(self, images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
        """(N,) scores of `images` (N, H, W, 3) uint8 RGB; independent of batch composition."""
        ...


class MetricError(UserError):
    """A metric cannot be computed as asked; the message names the file and the fix."""
