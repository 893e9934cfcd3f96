"""DINOv2 class tokens: the features of FD-DINO (Stein et al. 2023, dgm-eval)."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mitune import libraries
from mitune.metrics.base import Network
from mitune.metrics.embedders.base import Embedder, batched
from mitune.metrics.pixels import Pixels

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_SIZE = 224


class Dino(Network):
    """Class token after the last layer norm, (N, D); the paper's model is ViT-L/14, D = 1024.

    Pictures are stretched to 224 x 224 as dgm-eval does; the processor on the hub resizes to 256
    and crops. Departure: transformers interpolates the position embeddings (trained at 518) by
    size, the original by scale with an offset of 0.1, so the last digits differ.
    """

    scale: ClassVar[str] = "normalised class token"
    preprocessing: ClassVar[str] = "stretched to 224 x 224, bicubic (PIL), ImageNet mean and std"

    kind: Literal["dino"] = "dino"

    def load(self, device: torch.device) -> Embedder:
        """Read the model. Raises MetricError if weights are missing or truncated."""
        with self.reading("the DINOv2 model"):
            model = self.opened(libraries.transformers.Dinov2Model)
        model = model.eval().to(device)
        pixels = Pixels(_SIZE, "stretch", IMAGENET_MEAN, IMAGENET_STD)

        @torch.inference_mode()
        def features(images: NDArray[np.uint8]) -> torch.Tensor:
            values = pixels(images).to(device, self.torch_dtype)
            class_tokens: torch.Tensor = model(pixel_values=values).last_hidden_state[:, 0]
            return class_tokens

        return lambda images: batched(features, images, self.batch_size)
