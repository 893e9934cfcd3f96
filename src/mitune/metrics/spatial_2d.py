"""2D-spatial of T2I-CompBench (Huang et al. 2023) by an open-vocabulary detector.

The arithmetic is that of its UniDet_eval/2D_spatial_eval.py, as specified in `relation_score` and
`image_score`.

The published numbers come from UniDet, a closed-vocabulary detector with labels of its own. These
are a different metric: rank with it, compare models with it, but do not put it beside theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveFloat

from mitune.language.relations import Relation, read_relation
from mitune.metrics.base import Metric, Scorer
from mitune.metrics.boxes import Box, Boxes, centre, iou
from mitune.metrics.detectors import DetectorConfig
from mitune.metrics.units import Units

OFFICIAL_NEAR = 150.0  # pixels, after the official resize
_SHORTER, _LONGER = 479.0, 480.0
_OVERLAP = 0.1
_LEAST = 0.5

_NEAR = ("on side of", "next to", "near")
_DIRECTIONS = {  # wording: (axis, sign of second - first)
    "on the left of": (0, 1),
    "on the right of": (0, -1),
    "on the bottom of": (1, -1),
    "on the top of": (1, 1),
}
_MORE = {
    "on top of": (1, 1),
    "to the left of": (0, 1),
    "to the right of": (0, -1),
    "left of": (0, 1),
    "right of": (0, -1),
    "above": (1, 1),
    "over": (1, 1),
    "below": (1, -1),
    "underneath": (1, -1),
    "under": (1, -1),
}
OFFICIAL_WORDINGS = (*_NEAR, *_DIRECTIONS, "on top of")
WORDINGS = (*OFFICIAL_WORDINGS, *(wording for wording in _MORE if wording != "on top of"))


class Spatial2D(Metric):
    """Score in {0} and [0.5, 1]. 0 also where the prompt has no relation that is read here.

    `near` is the distance of "next to" in pixels of the official frame (479 x 479), whatever the
    size of the pictures. `queries`: the detector is asked for single nouns, as in the official
    code, or for whole noun phrases ("red circle"). `official_wordings` scores "on top of" as the
    official code does, always 0, and knows no wordings but the benchmark's eight.
    """

    scale: ClassVar[str] = "0, or 0.5 to 1; open-vocabulary detector, not comparable with UniDet's"
    units: ClassVar[Units] = Units("proportion")
    preprocessing: ClassVar[str] = "the detector's"
    label_match: ClassVar[Literal["equal", "contain"]] = "equal"

    kind: Literal["spatial_2d_ovd"] = "spatial_2d_ovd"
    detector: DetectorConfig
    near: PositiveFloat = OFFICIAL_NEAR
    queries: Literal["noun", "phrase"] = "noun"
    official_wordings: bool = False

    def read(self, prompt: str) -> Relation | None:
        """What is looked for in the picture of a prompt."""
        known = OFFICIAL_WORDINGS if self.official_wordings else WORDINGS
        relation = read_relation(prompt, known)
        return relation.nouns if relation and self.queries == "noun" else relation

    def names(self, prompt: str) -> tuple[str, ...]:
        """What the detector is asked for."""
        relation = self.read(prompt)
        return (relation.first, relation.second) if relation else ()

    def load(self, device: torch.device) -> Scorer:
        """Read the detector. Raises MetricError if weights are missing or truncated."""
        detect = self.detector.load(device)

        def score(images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
            relations = [self.read(prompt) for prompt in prompts]
            near = self.near / official_scale(*images.shape[1:3])
            boxes = detect(images, [self.names(prompt) for prompt in prompts])
            return np.array(
                [
                    image_score(
                        boxes_of_image, relation, near, official_wordings=self.official_wordings
                    )
                    if relation
                    else 0.0
                    for boxes_of_image, relation in zip(boxes, relations, strict=True)
                ],
                np.float64,
            )

        return score


def official_scale(height: int, width: int) -> float:
    """What UniDet multiplies a picture by: shorter side 479, longer side at most 480."""
    return min(_SHORTER / min(height, width), _LONGER / max(height, width))


def relation_score(
    wording: str | None, a: Box, b: Box, near: float, *, official_wordings: bool = False
) -> float:
    """How far box `a` is <wording> box `b`, in [0, 1].

    Sides: 1 if the centres lie that way and that way mostly, and less where the boxes overlap by
    more than 0.1: 0.1 / IoU. Near: 1 if the centres are closer than `near` on either axis, else
    `near` over the larger distance.
    """
    apart = centre(b) - centre(a)
    if wording in _NEAR:
        far = np.abs(apart)
        return 1.0 if far.min() < near else float(near / far.max())
    sides = _DIRECTIONS if official_wordings else _DIRECTIONS | _MORE
    if wording not in sides:
        return 0.0
    axis, sign = sides[wording]
    if sign * apart[axis] <= 0 or abs(apart[axis]) <= abs(apart[1 - axis]):
        return 0.0
    overlap = iou(a, b)
    return 1.0 if overlap < _OVERLAP else _OVERLAP / overlap


def image_score(
    boxes: Boxes, relation: Relation, near: float, *, official_wordings: bool = False
) -> float:
    """A quarter of each confidence and half the relation; below 0.5 it is 0.

    The most confident box of each label counts. With one object, or both in the wrong place, the
    score is therefore 0; two objects of one name are the same box, which is next to itself only.
    """
    first, second = boxes.first(relation.first), boxes.first(relation.second)
    score = 0.25 * sum(float(boxes.scores[i]) for i in (first, second) if i is not None)
    if first is not None and second is not None:
        a, b = boxes.xyxy[first], boxes.xyxy[second]
        score += 0.5 * relation_score(
            relation.words, a, b, near, official_wordings=official_wordings
        )
    return score if score >= _LEAST else 0.0
