"""CLIP-score: cosine between image and prompt in a CLIP model (Hessel et al. 2021, w = 1).

arXiv:2104.08718.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from mitune.metrics.base import Network, Scorer, batches
from mitune.metrics.clip_model import ClipEncoders
from mitune.metrics.pixels import CLIP_MEAN, CLIP_STD, Pixels
from mitune.metrics.units import Units

Encoder: TypeAlias = Callable[
    [NDArray[np.uint8], Sequence[str]], tuple[NDArray[np.float32], NDArray[np.float32]]
]


class ClipScore(Network):
    """Cosine in [-1, 1]. Departure from the paper: no factor 2.5, no prefix, no clipping at 0.

    `path` says whose: T2I-CompBench's is `openai/clip-vit-base-patch32`; the "CLIP" of
    Diffusion-DPO's code, DSPO and Diff-contrast is `laion/CLIP-ViT-H-14-laion2B-s32B-b79K`. That
    code prepares pictures as HPS does (`hps.py`); here both are cropped, which is the same for
    square pictures up to the kind of bicubic interpolation. `mean` and `std` are by default CLIP's
    own; the miniature's says its own, pixels in [-1, 1] (conf/base).
    """

    scale: ClassVar[str] = "cosine, -1 to 1"
    units: ClassVar[Units] = Units("cosine")
    preprocessing: ClassVar[str] = "shorter side bicubic (PIL), centre crop"

    kind: Literal["clip_score"] = "clip_score"
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD

    def load(self, device: torch.device) -> Scorer:
        """Read the model. Raises MetricError if weights are missing or truncated."""
        clip, pixels = self._opened(device)

        def score(images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
            return clip.cosines(images, prompts, pixels, self.batch_size)

        return score

    def load_encoder(self, device: torch.device) -> Encoder:
        """What the score is the cosine of: unit vectors (N, D) of pictures, and of their prompts.

        Raises MetricError as `load`.
        """
        clip, pixels = self._opened(device)

        def encode(
            images: NDArray[np.uint8], prompts: Sequence[str]
        ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            parts = batches(len(images), self.batch_size)
            pictures = torch.cat([clip.images(pixels(images[part])) for part in parts])
            return pictures.cpu().numpy(), clip.texts(prompts).cpu().numpy()

        return encode

    def _opened(self, device: torch.device) -> tuple[ClipEncoders, Pixels]:
        clip = ClipEncoders(self, device)
        return clip, Pixels(clip.image_size, mean=self.mean, std=self.std)
