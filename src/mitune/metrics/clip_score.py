"""CLIP-score: cosine between image and prompt in a CLIP model (Hessel et al. 2021, w = 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mitune.metrics.base import Network, Scorer, batches
from mitune.metrics.clip_model import ClipEncoders
from mitune.metrics.pixels import HALF, Pixels


class ClipScore(Network):
    """Cosine in [-1, 1]. Departure from the paper: no factor 2.5, no prefix, no clipping at 0.

    T2I-CompBench's is OpenAI's ViT-B/32; the "CLIP" of Diffusion-DPO's code is LAION's ViT-H/14.
    `mean` and `std` are by default the miniature's, pixels in [-1, 1]; the others have their own
    (metrics.scorers in conf/sd21).
    """

    scale: ClassVar[str] = "cosine, -1 to 1"
    preprocessing: ClassVar[str] = "shorter side bicubic (PIL), centre crop"

    kind: Literal["clip_score"] = "clip_score"
    mean: tuple[float, float, float] = HALF
    std: tuple[float, float, float] = HALF

    def load(self, device: torch.device) -> Scorer:
        """Read the model. Raises MetricError if weights are missing or truncated."""
        clip = ClipEncoders(self, device)
        pixels = Pixels(clip.image_size, mean=self.mean, std=self.std)

        def score(images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
            found = [
                (clip.images(pixels(images[part])) * clip.texts(prompts[part])).sum(-1)
                for part in batches(len(images), self.batch_size)
            ]
            return torch.cat(found).double().cpu().numpy()

        return score
