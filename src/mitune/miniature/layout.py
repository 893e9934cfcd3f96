"""Scenes that make a description true: what it leaves open is decided, everything is placed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from mitune.miniature.description import Description
from mitune.miniature.geometry import gap
from mitune.miniature.scene import CANVAS, Scene, Thing
from mitune.miniature.vocabulary import (
    COLOURS,
    CONTACT,
    DEPTH,
    MAX_COUNT,
    OUTER_SHAPES,
    PATTERNED_SHAPES,
    SHAPES,
    SIZES,
    TEXTURES,
)

# Clearance of radii where the prompt puts nothing in contact; tips of stars reach a little further.
_APART = 3.0
_OUTER_RADIUS = (16.5, 19.0)  # what something is inside of must leave room around it
_MARGIN = 1.5
_ATTEMPTS = 400


def sample_scene(description: Description, rng: np.random.Generator) -> Scene:
    """Decide what the description leaves open and place everything so that it holds.

    Raises
    ------
    ValueError
        If no layout is found, which a description from `sample_description` never causes.
    """
    for _ in range(_ATTEMPTS):
        things = _place(_decide(description, rng), description.relation, rng)
        if things is not None:
            return Scene(things, ground=int(rng.integers(222, 240)))
    raise ValueError(f"no layout found for {description}")


def sample_crowd(rng: np.random.Generator) -> Scene:
    """Up to four things of any size, which may overlap by a third: what no prompt asks for."""
    things: list[Thing] = []
    for _ in range(int(rng.integers(1, MAX_COUNT + 1))):
        for _ in range(20):
            radius = float(rng.uniform(7.0, 15.0))
            x, y = rng.uniform(radius * 0.8, CANVAS - radius * 0.8, 2)
            shape = str(rng.choice(SHAPES))
            texture = "plain" if rng.random() < 0.6 else str(rng.choice(TEXTURES[1:]))
            if shape not in PATTERNED_SHAPES or radius < SIZES["big"][0] - 1:
                texture = "plain"
            thing = Thing(
                shape, str(rng.choice(list(COLOURS))), texture, float(x), float(y), radius
            )
            if all(_distance(thing, t) > 0.75 * (radius + t.radius) for t in things):
                things.append(thing)
                break
    return Scene(tuple(things), ground=int(rng.integers(222, 240)))


def _decide(description: Description, rng: np.random.Generator) -> list[Thing]:
    """Things with every attribute set, not yet placed, in the order of the phrases."""
    total = sum(phrase.count or 1 for phrase in description.phrases)
    contact = description.relation in DEPTH + CONTACT
    things: list[Thing] = []
    taken = [p.colour for p in description.phrases if p.colour]
    for index, phrase in enumerate(description.phrases):
        for _ in range(phrase.count or 1):
            free = [c for c in COLOURS if not contact or c not in taken]
            colour = phrase.colour or str(rng.choice(free))
            taken.append(colour)
            size = phrase.size or ("small" if total > 2 else str(rng.choice(list(SIZES))))
            if phrase.texture:
                size = "big"
            low, high = SIZES[size]
            if description.relation in DEPTH:
                low, high = SIZES["big"]
            if description.relation == "inside":
                low, high = (7.0, 8.5) if index == 0 else _OUTER_RADIUS
            shape = phrase.shape or str(rng.choice(OUTER_SHAPES if contact else SHAPES))
            texture = phrase.texture or "plain"
            if not phrase.texture and shape in PATTERNED_SHAPES and high > SIZES["small"][1]:
                texture = "plain" if rng.random() < 0.9 else str(rng.choice(TEXTURES[1:]))
            things.append(
                Thing(
                    shape,
                    colour,
                    texture,
                    0.0,
                    0.0,
                    float(rng.uniform(low, high)),
                )
            )
    return things


def _place(
    things: list[Thing], relation: str | None, rng: np.random.Generator
) -> tuple[Thing, ...] | None:
    if relation is not None and relation in _CONTACT_LAYOUTS:
        return _CONTACT_LAYOUTS[relation](things[0], things[1], rng)
    for _ in range(30):
        placed: list[Thing] = []
        for thing in things:
            x, y = rng.uniform(thing.radius + _MARGIN, CANVAS - thing.radius - _MARGIN, 2)
            candidate = replace(thing, x=float(x), y=float(y))
            if any(_distance(candidate, p) < candidate.radius + p.radius + _APART for p in placed):
                break
            placed.append(candidate)
        if len(placed) < len(things):
            continue
        if relation is None or _beside(placed[0], placed[1], relation):
            return tuple(placed)
    return None


def _distance(a: Thing, b: Thing) -> float:
    return math.hypot(a.x - b.x, a.y - b.y)


def _beside(a: Thing, b: Thing, relation: str) -> bool:
    """Whether `a` is clearly `relation` of `b`: the offset lies within 35 degrees of the axis."""
    along = {"left": b.x - a.x, "right": a.x - b.x, "above": b.y - a.y, "below": a.y - b.y}
    across = abs(a.y - b.y) if relation in ("left", "right") else abs(a.x - b.x)
    return along[relation] > 0 and across < 0.7 * along[relation]


def _fits(thing: Thing) -> bool:
    low, high = thing.radius + _MARGIN, CANVAS - thing.radius - _MARGIN
    return low <= thing.x <= high and low <= thing.y <= high


def _around(a: Thing, b: Thing, distance: float, rng: np.random.Generator) -> tuple[Thing, Thing]:
    """Both things, `distance` apart in a random direction, their middle near the centre."""
    angle = rng.uniform(0, 2 * math.pi)
    dx, dy = distance * math.cos(angle) / 2, distance * math.sin(angle) / 2
    x, y = rng.uniform(CANVAS * 0.35, CANVAS * 0.65, 2)
    return (
        replace(a, x=float(x - dx), y=float(y - dy)),
        replace(b, x=float(x + dx), y=float(y + dy)),
    )


def _front(a: Thing, b: Thing, rng: np.random.Generator) -> tuple[Thing, ...] | None:
    """`a` hides a part of `b`; both stay recognisable."""
    a, b = _around(a, b, float(rng.uniform(0.85, 1.15)) * (a.radius + b.radius) / 2, rng)
    return (b, a) if _fits(a) and _fits(b) and gap(a, b) < -4 else None


def _behind(a: Thing, b: Thing, rng: np.random.Generator) -> tuple[Thing, ...] | None:
    return _front(b, a, rng)


def _touching(a: Thing, b: Thing, rng: np.random.Generator) -> tuple[Thing, ...] | None:
    """Boundaries meet: the gap is closed to within half a pixel along a random direction."""
    a, b = _around(a, b, a.radius + b.radius, rng)
    for _ in range(6):
        clearance = gap(a, b)
        if abs(clearance) < 0.5:
            break
        length = _distance(a, b)
        shift = clearance / length / 2
        dx, dy = (b.x - a.x) * shift, (b.y - a.y) * shift
        a, b = replace(a, x=a.x + dx, y=a.y + dy), replace(b, x=b.x - dx, y=b.y - dy)
    return (a, b) if abs(gap(a, b)) < 1.0 and _fits(a) and _fits(b) else None


def _inside(a: Thing, b: Thing, rng: np.random.Generator) -> tuple[Thing, ...] | None:
    """`a` lies wholly within `b`, in front of it."""
    a, b = _around(a, b, float(rng.uniform(0, 3.5)), rng)
    return (b, a) if _fits(b) else None


_CONTACT_LAYOUTS: Mapping[
    str, Callable[[Thing, Thing, np.random.Generator], tuple[Thing, ...] | None]
] = MappingProxyType({"front": _front, "behind": _behind, "touching": _touching, "inside": _inside})
