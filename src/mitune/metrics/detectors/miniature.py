"""The miniature world's own detector, asked in its own words ("red circle")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from mitune.metrics.base import MetricError, Weights
from mitune.metrics.boxes import Box, Boxes
from mitune.metrics.detectors.base import Detector
from mitune.miniature.caption import read
from mitune.miniature.detector import Detection, detect
from mitune.miniature.detector import Detector as Network
from mitune.miniature.judge import match
from mitune.miniature.scene import CANVAS

_BATCH = 128
_MORE_LIKELY_THAN_NOT = 0.5


class MiniatureDetector(Weights):
    """A box belongs to every query that describes it more likely than not.

    Its confidence is the probability of the query's attributes: what the network finds is there.
    """

    scale: ClassVar[str] = "probability, 0.5 to 1"
    preprocessing: ClassVar[str] = "none: 64 x 64 pixels"

    kind: Literal["miniature"] = "miniature"

    def load(self, device: torch.device) -> Detector:
        """Read the network.

        Raises
        ------
        MetricError
            If its weights are missing or truncated; later, for a word that is not of this world.
        """
        try:
            network = Network.load(self.path)
        except (OSError, SafetensorError, RuntimeError) as error:
            raise MetricError(
                f"{self.path}: the detector's weights cannot be read ({type(error).__name__}); "
                "restore them with `git checkout -- data/06_models`"
            ) from None

        def look(images: NDArray[np.uint8], queries: Sequence[Sequence[str]]) -> list[Boxes]:
            boxes: list[Boxes] = []
            for start in range(0, len(images), _BATCH):
                batch = np.ascontiguousarray(images[start : start + _BATCH])
                pixels = torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 127.5 - 1
                for things in detect(network, pixels):
                    boxes.append(_named(things, queries[len(boxes)]))
            return boxes

        return look


def _named(things: Sequence[Detection], names: Sequence[str]) -> Boxes:
    try:
        phrases = {name: read(f"a {name}").phrases[0] for name in names}
    except ValueError as error:
        raise MetricError(f"{error}; ask an open-vocabulary detector instead") from None
    return Boxes.ranked(
        (name, likely, _box(thing))
        for thing in things
        for name, phrase in phrases.items()
        if (likely := match(thing, phrase)) > _MORE_LIKELY_THAN_NOT
    )


def _box(thing: Detection) -> Box:
    x, y, r = thing.x, thing.y, thing.radius
    return np.clip(np.array([x - r, y - r, x + r, y + r]), 0, CANVAS)
