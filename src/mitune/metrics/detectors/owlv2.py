"""OWLv2 (Minderer et al. 2023): an open-vocabulary detector, asked in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from mitune import libraries
from mitune.metrics.base import Network, batches
from mitune.metrics.boxes import Boxes, iou
from mitune.metrics.detectors.base import Detector
from mitune.metrics.pixels import CLIP_MEAN, CLIP_STD, Pixels

_GREY = 128


class Owlv2(Network):
    """Weights in transformers' format, e.g. google/owlv2-base-patch16-ensemble.

    Every patch speaks for one box and the query it fits best; those below `threshold` are left
    out, and of boxes of a query that overlap by more than `nms` only the most confident stays
    (counting needs it; transformers' own post-processing has no such step). Confidences are lower
    than those of closed-vocabulary detectors: 0.5, UniDet's threshold, would leave out most.

    Departure: pictures are resized by PIL, bicubic, instead of a Gaussian and bilinear zoom.
    """

    scale: ClassVar[str] = "confidence, 0 to 1"
    preprocessing: ClassVar[str] = "grey to the right and below to a square, bicubic (PIL)"

    kind: Literal["owlv2"] = "owlv2"
    threshold: float = Field(default=0.2, ge=0, lt=1)
    nms: float = Field(default=0.5, ge=0, le=1)
    template: str = "a photo of a {}"

    def load(self, device: torch.device) -> Detector:
        """Read the model. Raises MetricError if weights are missing or truncated."""
        model = _Owlv2(self, device)

        def detect(images: NDArray[np.uint8], queries: Sequence[Sequence[str]]) -> list[Boxes]:
            boxes: list[Boxes] = []
            for part in batches(len(images), self.batch_size):
                boxes += model.detect(images[part], queries[part])
            return boxes

        return detect


class _Owlv2:
    """The parts of the model: pictures are encoded in batches, each query once."""

    def __init__(self, weights: Owlv2, device: torch.device) -> None:
        with weights.reading("the OWLv2 model"):
            model = weights.opened(libraries.transformers.Owlv2ForObjectDetection)
            self._tokenizer = weights.opened_tokenizer(libraries.transformers.AutoTokenizer)
        self._model = model.eval().to(device)
        # Corners in half precision would be off by pixels.
        model.box_head.float()
        model.class_head.float()
        self._weights = weights
        self._pixels = Pixels(model.config.vision_config.image_size, "stretch", CLIP_MEAN, CLIP_STD)
        self._queries: dict[str, torch.Tensor] = {}

    @torch.inference_mode()
    def detect(self, images: NDArray[np.uint8], queries: Sequence[Sequence[str]]) -> list[Boxes]:
        """Boxes of a batch of pictures."""
        height, width = images.shape[1:3]
        pixels = self._pixels(_square(images)).to(self._model.device, self._model.dtype)
        grid = self._model.image_embedder(pixels)[0]
        patches = grid.flatten(1, 2).float()
        corners = _corners(self._model.box_predictor(patches, grid).double().cpu().numpy())
        # Boxes are in units of the padded square; what reaches into the padding is cut off.
        corners = np.clip(corners * max(height, width), 0, (width, height, width, height))
        return [
            self._named(patches[i : i + 1], corners[i], names) for i, names in enumerate(queries)
        ]

    def _named(
        self, patches: torch.Tensor, corners: NDArray[np.float64], names: Sequence[str]
    ) -> Boxes:
        distinct = list(dict.fromkeys(names))
        if not distinct:
            return Boxes.ranked([])
        logits = self._model.class_predictor(patches, self._embedded(distinct)[None])[0][0]
        best = logits.double().sigmoid().max(-1)
        scores, which = best.values.cpu().numpy(), best.indices.cpu().numpy()
        sides = corners[:, 2:] - corners[:, :2]
        kept = np.flatnonzero((scores > self._weights.threshold) & (sides > 0).all(-1))
        boxes = Boxes.ranked((distinct[which[k]], float(scores[k]), corners[k]) for k in kept)
        return boxes.without(lambda a, b: iou(a, b) > self._weights.nms)

    def _embedded(self, names: Sequence[str]) -> torch.Tensor:
        """(Q, D) unit vectors of queries."""
        new = [name for name in names if name not in self._queries]
        if new:
            tokens = self._tokenizer(
                [self._weights.template.format(name) for name in new],
                padding="max_length",
                truncation=True,
                return_tensors="pt",
            ).to(self._model.device)
            features = self._model.owlv2.get_text_features(**tokens).pooler_output
            vectors = torch.nn.functional.normalize(features.float(), dim=-1)
            self._queries.update(zip(new, vectors, strict=True))
        return torch.stack([self._queries[name] for name in names])


def _square(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = images.shape[1:3]
    side = max(height, width)
    padding = ((0, 0), (0, side - height), (0, side - width), (0, 0))
    return np.pad(images, padding, constant_values=_GREY)


def _corners(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre and size to corners."""
    middle, half = boxes[..., :2], boxes[..., 2:] / 2
    return np.concatenate([middle - half, middle + half], -1)
