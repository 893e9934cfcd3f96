"""DPT (Ranftl et al. 2021): inverse depth up to scale and shift, as T2I-CompBench++ uses it."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import PositiveInt

from mitune import libraries
from mitune.metrics.base import Network, batches
from mitune.metrics.depth.base import DepthEstimator
from mitune.metrics.pixels import HALF, Pixels


class Dpt(Network):
    """Weights in transformers' format, e.g. Intel/dpt-hybrid-midas (the benchmark's) or dpt-large.

    Pictures are stretched to `size` x `size`: 480 in the benchmark, though the model was trained
    at 384. Departures: maps are brought back to the size of the picture bilinearly and stay in
    floating point; the official code stores them as 8-bit PNG on the way.
    """

    scale: ClassVar[str] = "nearness, 0 to 1 within each picture"
    preprocessing: ClassVar[str] = "stretched, bicubic (PIL), mean and std 0.5"

    kind: Literal["dpt"] = "dpt"
    size: PositiveInt = 480

    def load(self, device: torch.device) -> DepthEstimator:
        """Read the model. Raises MetricError if weights are missing or truncated."""
        with self.reading("the DPT model"):
            model = self.opened(libraries.transformers.DPTForDepthEstimation)
        model = model.eval().to(device)
        if model.config.is_hybrid:
            # The embedding interpolates to any size, but refuses all but its own before.
            model.dpt.embeddings.image_size = (self.size, self.size)
        pixels = Pixels(self.size, "stretch", HALF, HALF)

        @torch.inference_mode()
        def estimate(images: NDArray[np.uint8]) -> NDArray[np.float32]:
            height, width = images.shape[1:3]
            depths = np.empty((len(images), height, width), np.float32)
            for part in batches(len(images), self.batch_size):
                batch = pixels(images[part]).to(model.device, model.dtype)
                depth = _stretched(model(batch).predicted_depth.float())[:, None]
                sized = F.interpolate(depth, (height, width), mode="bilinear", align_corners=False)
                depths[part] = sized[:, 0].cpu().numpy()
            return depths

        return estimate


def _stretched(depth: torch.Tensor) -> torch.Tensor:
    """To [0, 1] picture by picture."""
    least, most = depth.amin((1, 2), keepdim=True), depth.amax((1, 2), keepdim=True)
    return (depth - least) / (most - least).clamp(min=torch.finfo(depth.dtype).tiny)
