"""A score: images and prompts in, one number per image out, with where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from mitune.errors import UserError


class Scorer(Protocol):
    """Scores picture i against prompt i."""

    def __call__(self, images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
        """(N,) scores of `images` (N, H, W, 3) uint8 RGB; independent of batch composition."""
        ...


class Weights(BaseModel):
    """Weights of a metric: a file or folder here, or a hub id with its revision."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    revision: str | None = None

    @property
    def from_hub(self) -> bool:
        """Whether `path` is a hub id."""
        return self.revision is not None and not self.path.exists()


class MetricError(UserError):
    """A metric cannot be computed as asked; the message names the file and the fix."""
