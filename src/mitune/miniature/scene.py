"""A picture of the miniature world: every attribute decided, every object placed.

Lengths are in pixels on a `CANVAS` x `CANVAS` image, x to the right and y downwards, and things are
listed from back to front.
"""

from __future__ import annotations

from dataclasses import dataclass

from mitune.miniature.vocabulary import SIZES

CANVAS = 64


@dataclass(frozen=True)
class Thing:
    """One object: what it is, where its centre is and how far it reaches (pixels)."""

    shape: str
    colour: str
    texture: str
    x: float
    y: float
    radius: float

    @property
    def size(self) -> str:
        """`small` or `big`, split half-way between the two ranges."""
        return "small" if self.radius < (SIZES["small"][1] + SIZES["big"][0]) / 2 else "big"


@dataclass(frozen=True)
class Scene:
    """Things from back to front on a grey ground (0-255)."""

    things: tuple[Thing, ...]
    ground: int = 230
