"""Whether an edited picture shows the edit, and whether it kept everything else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mitune.miniature.detector import Detection, Detector, detect
from mitune.miniature.edit import SceneEdit
from mitune.miniature.scene import Thing
from mitune.miniature.vocabulary import TEXTURES

_MOVED = 6.0  # pixels that a thing may be off its place


@dataclass(frozen=True)
class EditVerdict:
    """`edited`: the changed thing is as it should be, in its place. `kept`: all others are as they
    were, in theirs, and nothing has come or gone. `done`: both.
    """

    edited: bool
    kept: bool

    @property
    def done(self) -> bool:
        """Both."""
        return self.edited and self.kept


class EditJudge:
    """The miniature world's own measure of an edit."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    @classmethod
    def load(cls, path: Path) -> EditJudge:
        """Judge whose detector weights are at `path`."""
        return cls(Detector.load(path))

    def __call__(
        self, pictures: NDArray[np.uint8], edits: Sequence[SceneEdit]
    ) -> list[EditVerdict]:
        """Judge picture i (of (N, 64, 64, 3) uint8 RGB) against edit i."""
        pixels = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
        seen = detect(self._detector, pixels.float() / 127.5 - 1)
        return [_verdict(things, edit) for things, edit in zip(seen, edits, strict=True)]


def _verdict(seen: Sequence[Detection], edit: SceneEdit) -> EditVerdict:
    wanted = edit.after.things
    found = [any(_is(detection, thing) for detection in seen) for thing in wanted]
    others = [right for place, right in enumerate(found) if place != edit.changed]
    return EditVerdict(found[edit.changed], all(others) and len(seen) == len(wanted))


def _is(seen: Detection, thing: Thing) -> bool:
    texture = TEXTURES[int(np.argmax(seen.textures))]
    alike = (seen.shape, seen.colour, texture) == (thing.shape, thing.colour, thing.texture)
    return alike and math.hypot(seen.x - thing.x, seen.y - thing.y) < _MOVED
