"""Scenes of coloured, textured, sized shapes in relation, and what a prompt claims of them.

A `Description` is the meaning of a prompt: noun phrases with any of their attributes, and at most
one relation between the first two. A `Scene` is one picture that makes it true: every attribute
decided, every object placed. Lengths are in pixels on a `CANVAS` x `CANVAS` image, x to the right
and y downwards, and things are listed from back to front.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from mitune.miniature.geometry import gap

CANVAS = 64

SHAPES = ("circle", "square", "triangle", "cross", "star")
COLOURS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "red": (214, 39, 40),
        "orange": (255, 140, 20),
        "yellow": (245, 220, 50),
        "green": (44, 150, 55),
        "cyan": (60, 205, 225),
        "blue": (40, 75, 210),
        "purple": (150, 60, 190),
        "black": (25, 25, 25),
    }
)
TEXTURES = ("plain", "striped", "dotted", "checkered")
SIZES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"small": (8.0, 10.0), "big": (11.8, 14.2)}
)
CATEGORIES = (
    "color",
    "shape",
    "texture",
    "2d_spatial",
    "3d_spatial",
    "non_spatial",
    "numeracy",
    "complex",
)
# A pattern is only claimed of shapes, and drawn at sizes, on which it can be told.
PATTERNED_SHAPES = ("circle", "square", "triangle")
SPATIAL = ("left", "right", "above", "below")
DEPTH = ("front", "behind")
CONTACT = ("touching", "inside")
RELATIONS = SPATIAL + DEPTH + CONTACT
INVERSE = MappingProxyType(
    {
        "left": "right",
        "right": "left",
        "above": "below",
        "below": "above",
        "front": "behind",
        "behind": "front",
    }
)
MAX_COUNT = 4

# Clearance of radii where the prompt puts nothing in contact; tips of stars reach a little further.
_APART = 3.0
_OUTER_RADIUS = (16.5, 19.0)  # what something is inside of must leave room around it
_OUTER_SHAPES = ("circle", "square")
_MARGIN = 1.5
_ATTEMPTS = 400


@dataclass(frozen=True)
class NounPhrase:
    """`count` things alike; an attribute that is `None` is not claimed."""

    shape: str | None = None
    colour: str | None = None
    texture: str | None = None
    size: str | None = None
    count: int | None = None


@dataclass(frozen=True)
class Description:
    """Noun phrases and a relation of the first to the second (`first is relation of second`)."""

    phrases: tuple[NounPhrase, ...]
    relation: str | None = None


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


def sample_description(category: str, rng: np.random.Generator) -> Description:
    """A random prompt meaning of one of the eight `CATEGORIES`."""
    shapes = [str(s) for s in rng.choice(SHAPES, 2)]
    colours = [str(c) for c in rng.choice(list(COLOURS), 2, replace=False)]
    textures = [str(t) for t in rng.choice(TEXTURES[1:], 2, replace=False)]
    match category:
        case "color":
            description = _pair(shapes, colour=colours)
        case "shape":
            description = _pair([str(s) for s in rng.choice(SHAPES, 2, replace=False)])
        case "texture":
            patterned = [str(s) for s in rng.choice(PATTERNED_SHAPES, 2)]
            description = _pair(patterned, texture=textures)
        case "2d_spatial":
            distinct = [str(s) for s in rng.choice(SHAPES, 2, replace=False)]
            description = _pair(distinct, relation=str(rng.choice(SPATIAL)))
        case "3d_spatial":
            description = _pair(shapes, colour=colours, relation=str(rng.choice(DEPTH)))
        case "non_spatial":
            relation = str(rng.choice(CONTACT))
            if relation == "inside":
                shapes[1] = str(rng.choice(_OUTER_SHAPES))
            description = _pair(shapes, colour=colours, relation=relation)
        case "numeracy":
            description = _counted(rng)
        case "complex":
            description = _complex(shapes, colours, textures, rng)
        case _:
            raise ValueError(f"unknown category {category!r}; choose of {', '.join(CATEGORIES)}")
    return description


def _complex(
    shapes: list[str], colours: list[str], textures: list[str], rng: np.random.Generator
) -> Description:
    shapes[0] = str(rng.choice(PATTERNED_SHAPES))
    relation = str(rng.choice(SPATIAL)) if rng.random() < 0.5 else None
    first, second = _pair(shapes, colour=colours).phrases
    phrases = (replace(first, size="big", texture=textures[0]), replace(second, size="small"))
    return Description(phrases if rng.random() < 0.5 else phrases[::-1], relation)


def _pair(
    shapes: list[str],
    colour: list[str] | None = None,
    texture: list[str] | None = None,
    relation: str | None = None,
) -> Description:
    phrases = tuple(
        NounPhrase(shape, colour[i] if colour else None, texture[i] if texture else None)
        for i, shape in enumerate(shapes)
    )
    return Description(phrases, relation)


def _counted(rng: np.random.Generator) -> Description:
    first, second = (str(s) for s in rng.choice(SHAPES, 2, replace=False))
    if rng.random() < 0.5:
        colour = str(rng.choice(list(COLOURS)))
        count = int(rng.integers(2, MAX_COUNT + 1))
        return Description((NounPhrase(first, colour, count=count),))
    count = int(rng.integers(1, MAX_COUNT))
    other = int(rng.integers(1, MAX_COUNT - count + 1))
    return Description((NounPhrase(first, count=count), NounPhrase(second, count=other)))


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
            shape = phrase.shape or str(rng.choice(_OUTER_SHAPES if contact else SHAPES))
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
