"""Pictures for a network that sees all of them: the longer side fits, the rest is padded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate, pad

from mitune.metrics.pixels import CLIP_MEAN, CLIP_STD


@dataclass(frozen=True)
class PaddedPixels:
    """(N, H, W, 3) uint8 RGB to (N, 3, size, size) float32, bicubic, on the tensor as HPS does.

    Padding is black and even on both sides. `antialias` is torchvision's of the same name: off up
    to its version 0.16, on since 0.17. Without it most pixels of a large picture are ignored.
    Nothing is clipped, so the overshoot of bicubic interpolation stays.
    """

    size: int
    antialias: bool = True
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD

    def __call__(self, images: NDArray[np.uint8]) -> torch.Tensor:
        """Resize, pad and normalise."""
        pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
        sides = pixels.shape[2:]
        if max(sides) != self.size:
            scale = self.size / max(sides)
            sides = torch.Size(round(side * scale) for side in sides)
            pixels = interpolate(pixels, sides, mode="bicubic", antialias=self.antialias)
        height, width = (self.size - side for side in sides)
        around = (width // 2, width - width // 2, height // 2, height - height // 2)
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (self.mean, self.std))
        return (pad(pixels, around) - mean) / std
