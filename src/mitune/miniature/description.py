"""The meaning of a prompt: noun phrases with any of their attributes, and at most one relation.

The relation is between the first two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mitune.miniature.vocabulary import (
    CATEGORIES,
    COLOURS,
    CONTACT,
    DEPTH,
    MAX_COUNT,
    OUTER_SHAPES,
    PATTERNED_SHAPES,
    SHAPES,
    SPATIAL,
    TEXTURES,
)


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
                shapes[1] = str(rng.choice(OUTER_SHAPES))
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
