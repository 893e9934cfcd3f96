"""Signed distances of the world's shapes: what the renderer paints and the judge measures.

Every shape is drawn upright within about one `radius` of its centre. Distances are in pixels,
negative inside.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_REACH = 4.0  # the unit table covers [-_REACH, _REACH] radii
_CELLS = 1025


class Placed(Protocol):
    """Anything with a shape, a centre and a radius."""

    @property
    def shape(self) -> str: ...
    @property
    def x(self) -> float: ...
    @property
    def y(self) -> float: ...
    @property
    def radius(self) -> float: ...


def _vertices(shape: str) -> NDArray[np.float64]:
    """Outline of a unit shape, y downwards."""
    if shape == "square":
        h = 0.84
        return np.array([(-h, -h), (h, -h), (h, h), (-h, h)])
    if shape == "triangle":
        return np.array([(0.0, -1.05), (1.05, 0.8), (-1.05, 0.8)])
    if shape == "cross":
        a, b = 0.34, 1.0
        return np.array(
            [(-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a),
             (a, b), (-a, b), (-a, a), (-b, a), (-b, -a), (-a, -a)]
        )  # fmt: skip
    if shape == "star":
        turns = [(math.pi * i / 5, 1.15 if i % 2 == 0 else 0.5) for i in range(10)]
        return np.array([(r * math.sin(t), -r * math.cos(t)) for t, r in turns])
    raise ValueError(f"unknown shape {shape!r}")


@cache
def unit_distance(shape: str) -> Array:
    """Signed distance of the unit shape over [-4, 4]^2, shape (1025, 1025), indexed [y, x]."""
    axis = np.linspace(-_REACH, _REACH, _CELLS)
    x, y = np.meshgrid(axis, axis)
    if shape == "circle":
        return (np.hypot(x, y) - 0.95).astype(np.float32)
    corners = _vertices(shape)
    nearest = np.full(x.shape, np.inf)
    inside = np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        ex, ey = bx - ax, by - ay
        along = np.clip(((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey), 0, 1)
        nearest = np.minimum(nearest, np.hypot(x - ax - along * ex, y - ay - along * ey))
        with np.errstate(divide="ignore", invalid="ignore"):
            crosses = ((ay > y) != (by > y)) & (x < ex * (y - ay) / ey + ax)
        inside ^= crosses
    return np.where(inside, -nearest, nearest).astype(np.float32)


def signed_distance(thing: Placed, size: int) -> Array:
    """Distance of every pixel centre to the outline, shape (size, size).

    Further than four radii from the centre it saturates: nothing here looks that far.
    """
    pixel = np.arange(size, dtype=np.float32) + 0.5
    scale = (_CELLS - 1) / (2 * _REACH)

    def index(centre: float) -> NDArray[np.intp]:
        cell = np.rint(((pixel - centre) / thing.radius + _REACH) * scale)
        return np.clip(cell, 0, _CELLS - 1).astype(np.intp)

    table = unit_distance(thing.shape)
    return table[index(thing.y)[:, None], index(thing.x)[None, :]] * np.float32(thing.radius)


def gap(a: Placed, b: Placed, size: int = 64) -> float:
    """Clearance between two outlines in pixels, negative when they overlap.

    For distances d_a, d_b the least d_a + d_b over the plane is the clearance; on the pixel grid
    it is exact to about half a pixel.
    """
    return float((signed_distance(a, size) + signed_distance(b, size)).min())
