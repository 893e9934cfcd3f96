"""Pictures as a network wants them: resized, cropped or padded, normalised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Pixels:
    """(N, H, W, 3) uint8 RGB to (N, 3, size, size) float32, bicubic.

    `fit`: `crop` brings the shorter side to `size` and cuts the middle out; `stretch` ignores the
    aspect ratio. Both resize in PIL, so that numbers do not depend on the version of torchvision.
    Of an odd number of pixels too many, `crop` takes half on each side rounded to even, as
    torchvision does, and `crop_floor` rounded down, as transformers' processors do.
    """

    size: int
    fit: Literal["crop", "crop_floor", "stretch"] = "crop"
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD

    def __call__(self, images: NDArray[np.uint8]) -> torch.Tensor:
        """Resize and normalise."""
        sized = np.stack([self._resized(image) for image in images])
        pixels = torch.from_numpy(sized).permute(0, 3, 1, 2).float() / 255
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (self.mean, self.std))
        return (pixels - mean) / std

    def _resized(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The longer side is rounded down, as both torchvision and transformers do."""
        height, width = image.shape[:2]
        if (height, width) == (self.size, self.size):
            return image
        shorter = min(height, width)
        if self.fit != "stretch":
            height, width = (int(self.size * side / shorter) for side in (height, width))
        else:
            height = width = self.size
        resized = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
        top, left = (self._half(side - self.size) for side in (height, width))
        return np.asarray(resized)[top : top + self.size, left : left + self.size]

    def _half(self, excess: int) -> int:
        return excess // 2 if self.fit == "crop_floor" else round(excess / 2)
