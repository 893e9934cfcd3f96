"""3D-spatial of T2I-CompBench++ (Huang et al. 2025): which of two boxes is nearer.

By an open-vocabulary detector and DPT instead of UniDet and DPT: a different metric, whose numbers
do not go beside the published ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mitune.language.relations import Relation, read_relation
from mitune.metrics.base import Metric, Scorer, batches
from mitune.metrics.boxes import Box, Boxes, iou
from mitune.metrics.depth import DepthConfig
from mitune.metrics.detectors import DetectorConfig
from mitune.metrics.units import Units

_OVERLAP = 0.5
_NEARER = {"in front of": 1, "behind": -1, "hidden": -1}  # sign of nearness, first - second
WORDINGS = tuple(_NEARER)


class Spatial3D(Metric):
    """Score in [0, 1], without the cut of 2D. 0 where the prompt has no relation in depth.

    `official_axes` slices the depth map with x for rows and y for columns, as the official code
    does; by default rows are y. Departures: depth is not rounded to 8 bits on its way, no map of
    an earlier run is taken up, an IoU of exactly 0.5 counts in full, and of several boxes with a
    matching label the most confident one counts.
    """

    scale: ClassVar[str] = "0 to 1; open-vocabulary detector, not comparable with UniDet's"
    units: ClassVar[Units] = Units("proportion")
    preprocessing: ClassVar[str] = "the detector's and the depth estimator's"
    label_match: ClassVar[Literal["equal", "contain"]] = "contain"

    kind: Literal["spatial_3d_ovd"] = "spatial_3d_ovd"
    detector: DetectorConfig
    depth: DepthConfig
    queries: Literal["noun", "phrase"] = "noun"
    official_axes: bool = False

    def read(self, prompt: str) -> Relation | None:
        """What is looked for in the picture of a prompt."""
        relation = read_relation(prompt, WORDINGS)
        return relation.nouns if relation and self.queries == "noun" else relation

    def names(self, prompt: str) -> tuple[str, ...]:
        """What the detector is asked for."""
        relation = self.read(prompt)
        return (relation.first, relation.second) if relation else ()

    def load(self, device: torch.device) -> Scorer:
        """Read both networks. Raises MetricError if weights are missing or truncated."""
        detect, estimate = self.detector.load(device), self.depth.load(device)

        def score(images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
            relations = [self.read(prompt) for prompt in prompts]
            boxes = detect(images, [self.names(prompt) for prompt in prompts])
            scores = np.zeros(len(images))
            both = []  # depth is the dearer half, and only asked for where it counts
            for i, (boxes_of_image, relation) in enumerate(zip(boxes, relations, strict=True)):
                if relation:
                    scores[i] = object_score(boxes_of_image, relation)
                    if {relation.first, relation.second} <= set(boxes_of_image.labels):
                        both.append(i)
            for part in batches(len(both), self.depth.batch_size):
                for i, depth in zip(both[part], estimate(images[both[part]]), strict=True):
                    if relation := relations[i]:
                        scores[i] = image_score(
                            boxes[i], relation, depth, official_axes=self.official_axes
                        )
            return scores

        return score


def relation_score(
    wording: str, a: Box, b: Box, depth: NDArray[np.floating], *, official_axes: bool = False
) -> float:
    """How far box `a` is <wording> box `b`, in [0, 1]: min(IoU / 0.5, 1) if it is, else 0.

    `depth` (H, W) of the picture in which the boxes are, larger is nearer; only the sign of the
    difference of its means over the boxes counts.
    """
    nearer = _mean(depth, a, official_axes) - _mean(depth, b, official_axes)
    return min(iou(a, b) / _OVERLAP, 1.0) if _NEARER[wording] * nearer > 0 else 0.0


def object_score(boxes: Boxes, relation: Relation) -> float:
    """A quarter of the confidence of each object: all there is without a relation in depth."""
    here = (boxes.first(relation.first), boxes.first(relation.second))
    return 0.25 * sum(float(boxes.scores[i]) for i in here if i is not None)


def image_score(
    boxes: Boxes,
    relation: Relation,
    depth: NDArray[np.floating],
    *,
    official_axes: bool = False,
) -> float:
    """`object_score`, and half the relation where both objects are found."""
    first, second = boxes.first(relation.first), boxes.first(relation.second)
    if first is None or second is None:
        return object_score(boxes, relation)
    a, b = boxes.xyxy[first], boxes.xyxy[second]
    holds = relation_score(relation.words, a, b, depth, official_axes=official_axes)
    return object_score(boxes, relation) + 0.5 * holds


def _mean(depth: NDArray[np.floating], box: Box, official_axes: bool) -> float:
    """Mean over the pixels that a box touches, at least one."""
    left, top, right, bottom = box
    rows, columns = (
        ((left, right), (top, bottom)) if official_axes else ((top, bottom), (left, right))
    )
    return float(
        depth[_touched(*rows, depth.shape[0]), _touched(*columns, depth.shape[1])].mean(
            dtype=np.float64
        )
    )


def _touched(low: float, high: float, size: int) -> slice:
    start = min(max(math.floor(low), 0), size - 1)
    return slice(start, max(math.ceil(high), start + 1))
