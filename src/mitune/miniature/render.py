"""Paint scenes: anti-aliased, deterministic, exactly as the judge assumes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mitune.miniature.geometry import signed_distance
from mitune.miniature.scene import CANVAS, Scene, Thing
from mitune.miniature.vocabulary import COLOURS

# The second colour of a pattern: light on dark things, dark on light ones.
_LIGHT, _DARK = (255, 255, 255), (60, 30, 20)
_BRIGHT = ("yellow", "orange", "cyan")


def render(scene: Scene) -> NDArray[np.uint8]:
    """Picture of a scene, shape (64, 64, 3), uint8 RGB."""
    image = np.full((CANVAS, CANVAS, 3), float(scene.ground), np.float32)
    for thing in scene.things:
        cover = np.clip(0.5 - signed_distance(thing, CANVAS), 0, 1)[..., None]
        image += cover * (_fill(thing) - image)
    return np.rint(image).astype(np.uint8)


def render_all(scenes: Sequence[Scene]) -> NDArray[np.uint8]:
    """Pictures of many scenes, shape (N, 64, 64, 3), uint8 RGB."""
    return np.stack([render(scene) for scene in scenes])


def _fill(thing: Thing) -> NDArray[np.float32]:
    """Colour of every pixel were the thing everywhere, shape (64, 64, 3) or (1, 1, 3)."""
    colour = np.array(COLOURS[thing.colour], np.float32)[None, None]
    if thing.texture == "plain":
        return colour
    second = np.array(_DARK if thing.colour in _BRIGHT else _LIGHT, np.float32)
    pixel = np.arange(CANVAS, dtype=np.float32) + 0.5
    x, y = (pixel - thing.x)[None, :], (pixel - thing.y)[:, None]
    share = np.clip(_pattern(thing.texture, x, y) + 0.5, 0, 1)[..., None]
    return (colour + share * (second - colour)).astype(np.float32)


def _pattern(texture: str, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Signed distance (pixels, positive inside the pattern), shape (64, 64)."""
    if texture == "striped":
        return np.broadcast_to(_wave(y, 8.0), np.broadcast_shapes(x.shape, y.shape))
    if texture == "checkered":
        a, b = _wave(x + 3.0, 12.0), _wave(y + 3.0, 12.0)
        return np.sign(a) * np.sign(b) * np.minimum(abs(a), abs(b))
    if texture == "dotted":
        u, v = (x + 4.0) % 8.0 - 4.0, (y + 4.0) % 8.0 - 4.0
        return (2.4 - np.hypot(u, v)).astype(np.float32)
    raise ValueError(f"unknown texture {texture!r}")


def _wave(x: NDArray[np.float32], period: float) -> NDArray[np.float32]:
    """Triangle wave with unit slope, positive on the first half of each period."""
    phase = (x % period) - period / 2
    return (period / 4 - abs(abs(phase) - period / 4)) * -np.sign(phase)
