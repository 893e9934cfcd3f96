"""Image embeddings of CLIP, unit vectors: what CMMD compares (Jayasumana et al. 2024)."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mitune.metrics.base import Network
from mitune.metrics.clip_model import ClipEncoders
from mitune.metrics.embedders.base import Embedder, batched
from mitune.metrics.pixels import CLIP_MEAN, CLIP_STD, Pixels


class ClipImage(Network):
    """Projected, normalised image embeddings, (N, D) with norm 1.

    CMMD's own is OpenAI's ViT-L/14 at 336 pixels with OpenAI's mean and std, the defaults; the
    miniature's says its own, pixels in [-1, 1] (conf/base).
    """

    scale: ClassVar[str] = "unit vectors"
    preprocessing: ClassVar[str] = "centre crop to a square, bicubic (PIL)"

    kind: Literal["clip"] = "clip"
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD

    def load(self, device: torch.device) -> Embedder:
        """Read the model. Raises MetricError if weights are missing or truncated."""
        clip = ClipEncoders(self, device)
        pixels = Pixels(clip.image_size, "stretch", self.mean, self.std)

        def features(images: NDArray[np.uint8]) -> torch.Tensor:
            return clip.images(pixels(square(images)))

        return lambda images: batched(features, images, self.batch_size)


def square(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle square of (N, H, W, 3), cut out before resizing as CMMD's code does."""
    height, width = images.shape[1:3]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return images[:, top : top + side, left : left + side]
