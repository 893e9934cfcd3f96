"""What a detector found in one picture, and how two boxes overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitune.metrics.base import MetricError

Box = NDArray[np.float64]  # left, top, right, bottom


@dataclass(frozen=True)
class Boxes:
    """Things in a picture: labels (n), confidences (n,) in [0, 1], corners (n, 4) in pixels.

    x runs to the right and y downwards. Use `ranked` to build one: scoring takes the first box of
    a label for the most confident.
    """

    labels: tuple[str, ...]
    scores: NDArray[np.float64]
    xyxy: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Raises MetricError if the three disagree in length."""
        n = len(self.labels)
        if self.scores.shape != (n,) or self.xyxy.shape != (n, 4):
            raise MetricError(
                f"boxes: {n} labels need scores ({n},) and corners ({n}, 4), not "
                f"{self.scores.shape} and {self.xyxy.shape}"
            )

    @classmethod
    def ranked(cls, detections: Iterable[tuple[str, float, Box]]) -> Boxes:
        """(label, confidence, corners) in order of confidence; equals keep their order."""
        best = sorted(detections, key=lambda detection: -detection[1])
        return cls(
            tuple(label for label, _, _ in best),
            np.array([score for _, score, _ in best], np.float64),
            np.array([box for _, _, box in best], np.float64).reshape(-1, 4),
        )

    def first(self, label: str) -> int | None:
        """Index of the most confident box with exactly this label."""
        return self.labels.index(label) if label in self.labels else None

    def without(self, same: Callable[[Box, Box], bool]) -> Boxes:
        """Without boxes that are the `same` as a more confident one that is kept, label by label.

        With `iou(a, b) > t` this is non-maximum suppression.
        """
        kept: list[int] = []
        for i, label in enumerate(self.labels):
            others = (j for j in kept if self.labels[j] == label)
            if not any(same(self.xyxy[i], self.xyxy[j]) for j in others):
                kept.append(i)
        return Boxes(tuple(self.labels[i] for i in kept), self.scores[kept], self.xyxy[kept])


def area(box: Box, pixel: float = 0.0) -> float:
    """Area; `pixel` = 1 counts a box from 3 to 5 as three pixels wide, 0 as two."""
    width, height = box[2:] - box[:2] + pixel
    return float(max(width, 0.0) * max(height, 0.0))


def intersection(a: Box, b: Box, pixel: float = 0.0) -> float:
    """Area that two boxes share."""
    return area(np.concatenate([np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])]), pixel)


def iou(a: Box, b: Box, pixel: float = 0.0) -> float:
    """Intersection over union; 0 where both are empty."""
    shared = intersection(a, b, pixel)
    union = area(a, pixel) + area(b, pixel) - shared
    return shared / union if union > 0 else 0.0


def containment(a: Box, b: Box, pixel: float = 0.0) -> float:
    """Share of the smaller box that the other one covers; 0 where it is empty."""
    smaller = min(area(a, pixel), area(b, pixel))
    return intersection(a, b, pixel) / smaller if smaller > 0 else 0.0


def centre(box: Box) -> NDArray[np.float64]:
    """Middle of a box, (2,): x, y."""
    return (box[:2] + box[2:]) / 2
