"""LAION's aesthetic score, second version: a line through CLIP's image vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mitune.metrics.affine import Affine
from mitune.metrics.base import MetricError, Network, Scorer, batches
from mitune.metrics.checkpoint import tensors
from mitune.metrics.clip_model import ClipEncoders
from mitune.metrics.pixels import Pixels
from mitune.metrics.units import Units


class Aesthetic(Network):
    """Predicted rating of a picture, about 1 to 10; the prompt is not looked at.

    Source: github.com/christophschuhmann/improved-aesthetic-predictor, whose file
    `sac+logos+ava1-l14-linearMSE.pth` is `head`: five layers without activations, folded here
    into one map of the unit vectors of `path`, `openai/clip-vit-large-patch14` (224 pixels; the
    336-pixel model has other vectors).
    """

    scale: ClassVar[str] = "predicted rating, about 1 to 10"
    units: ClassVar[Units] = Units("points")
    preprocessing: ClassVar[str] = "shorter side bicubic (PIL), centre crop, CLIP mean and std"

    kind: Literal["aesthetic"] = "aesthetic"
    head: Path

    def load(self, device: torch.device) -> Scorer:
        """Read both networks.

        Raises
        ------
        MetricError
            If weights are missing, truncated, or do not fit each other.
        """
        rating = self._rating()
        clip = ClipEncoders(self, device)
        if len(rating.weight) != clip.width:
            raise MetricError(
                f"{self.head}: takes {len(rating.weight)} features, but {self.path} has "
                f"{clip.width}; it belongs to openai/clip-vit-large-patch14"
            )
        pixels = Pixels(clip.image_size)

        def score(images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
            parts = batches(len(images), self.batch_size)
            ratings = [rating(clip.images(pixels(images[part]))) for part in parts]
            return torch.cat(ratings).numpy()

        return score

    @property
    def files(self) -> dict[str, Path]:
        """The head is always a local file."""
        return {**super().files, "head": self.head}

    def _rating(self) -> Affine:
        state = tensors(self.head)
        try:
            return Affine.folded(state, "layers.")
        except (IndexError, KeyError, ValueError, RuntimeError) as error:
            raise MetricError(
                f"{self.head}: not an aesthetic head ({type(error).__name__}); it should be "
                "sac+logos+ava1-l14-linearMSE.pth"
            ) from None
