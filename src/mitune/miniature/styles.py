"""The same scenes in other styles: outlines, inverted colours, winter.

Nothing moves: a restyled picture shows what its original shows, in the same places.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mitune.miniature.geometry import signed_distance
from mitune.miniature.render import render
from mitune.miniature.scene import CANVAS, Scene
from mitune.miniature.vocabulary import COLOURS

Style: TypeAlias = Literal["outline", "inverted", "winter"]

_PAPER = 255.0
_STROKE = 1.2  # half the width of an outline, pixels
_ICE = (214.0, 232.0, 250.0)  # what winter mixes into everything
_SHARE = 0.55  # of it
_GREY = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601
_FADED = 0.5  # of the colour that is left


def restyled(scene: Scene, style: Style) -> NDArray[np.uint8]:
    """Picture (64, 64, 3) uint8 RGB of a scene.

    `outline`: the contours of things in their colours, on white paper; what a thing covers stays
    covered. `inverted`: 255 - the picture. `winter`: half of the colour taken out, and ice put in.
    """
    if style == "outline":
        return _outline(scene)
    picture = render(scene)
    return 255 - picture if style == "inverted" else _winter(picture)


def _outline(scene: Scene) -> NDArray[np.uint8]:
    image = np.full((CANVAS, CANVAS, 3), _PAPER, np.float32)
    for thing in scene.things:
        distance = signed_distance(thing, CANVAS)
        cover = np.clip(0.5 - distance, 0, 1)[..., None]
        image += cover * (_PAPER - image)
        stroke = np.clip(_STROKE + 0.5 - np.abs(distance), 0, 1)[..., None]
        image += stroke * (np.array(COLOURS[thing.colour], np.float32) - image)
    return np.rint(image).astype(np.uint8)


def _winter(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    colours = picture.astype(np.float32)
    grey = (colours @ np.array(_GREY, np.float32))[..., None]
    faded = grey + _FADED * (colours - grey)
    return np.rint((1 - _SHARE) * faded + _SHARE * np.array(_ICE, np.float32)).astype(np.uint8)
