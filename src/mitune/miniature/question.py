"""Yes/no questions about a scene, as BLIP-VQA asks them: `a red circle?`, `two stars?`.

The truth comes from the scene itself, never from the judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mitune.miniature.caption import phrase_text
from mitune.miniature.description import NounPhrase
from mitune.miniature.scene import Scene, Thing
from mitune.miniature.vocabulary import (
    COLOURS,
    MAX_COUNT,
    PATTERNED_SHAPES,
    SHAPES,
    SIZES,
    TEXTURES,
)

KINDS = ("shape", "colour", "texture", "complex", "count")
_VALUES = {
    "shape": SHAPES,
    "colour": tuple(COLOURS),
    "texture": TEXTURES[1:],
    "size": tuple(SIZES),
}
_UNSURE = (9.9, 11.9)  # radii in pixels that are neither small nor big
_ONES = 0.3  # share kept of questions after a single thing: most things are single
_HOPELESS = 0.03  # share kept of questions that no phrase of the kind could make true
_ATTEMPTS = 20


@dataclass(frozen=True)
class Question:
    """A noun phrase put as a question, whether it holds, and what it is about (of `KINDS`)."""

    text: str
    truth: bool
    kind: str


def ask(scene: Scene, rng: np.random.Generator, kinds: Sequence[str] = KINDS) -> Question:
    """A random question about a scene with at least one thing; yes and no are equally likely.

    `kinds` must have one besides `texture`, which is asked mostly where there is one.
    """
    while True:
        kind = kinds[int(rng.integers(len(kinds)))]
        truth = bool(rng.integers(2))
        phrase = _phrase(scene, kind, truth, rng)
        if phrase is not None:
            return Question(f"{phrase_text(phrase)}?", truth, kind)


def holds(phrase: NounPhrase, scene: Scene) -> bool | None:
    """Whether the scene shows it; a count is exact. None if a size is too close to call."""
    bare = replace(phrase, size=None)
    alike = [t for t in scene.things if _matches(bare, t)]
    if phrase.count is not None:
        return len(alike) == phrase.count
    if phrase.size is None:
        return bool(alike)
    if any(_UNSURE[0] < t.radius < _UNSURE[1] for t in alike):
        return None
    return any(t.size == phrase.size for t in alike)


def _matches(phrase: NounPhrase, thing: Thing) -> bool:
    claimed = ((phrase.shape, thing.shape), (phrase.colour, thing.colour))
    return all(claim in (None, is_) for claim, is_ in (*claimed, (phrase.texture, thing.texture)))


def _phrase(scene: Scene, kind: str, truth: bool, rng: np.random.Generator) -> NounPhrase | None:
    things = scene.things
    if kind == "texture":
        patterned = tuple(t for t in things if t.texture != "plain")
        if not patterned and (truth or rng.random() > _HOPELESS):
            return None
        things = patterned or things
    true = _true(things[int(rng.integers(len(things)))], scene, kind, rng)
    if truth or true is None:
        return true if true is not None and holds(true, scene) else None
    for _ in range(_ATTEMPTS):
        false = _any(kind, rng) if rng.random() < 0.25 else _changed(true, scene, rng)
        if holds(false, scene) is False:
            return false
    return None


def _true(thing: Thing, scene: Scene, kind: str, rng: np.random.Generator) -> NounPhrase | None:
    """What can be said of a thing; None if this kind of phrase does not fit it."""
    texture = None if thing.texture == "plain" else thing.texture
    if kind == "shape":
        return NounPhrase(thing.shape)
    if kind == "colour":
        return NounPhrase(thing.shape, thing.colour)
    if kind == "texture":
        return NounPhrase(thing.shape, texture=thing.texture)
    if kind == "complex":
        return NounPhrase(thing.shape, thing.colour, texture, thing.size)
    phrase = NounPhrase(thing.shape, thing.colour if rng.random() < 0.5 else None)
    count = sum(_matches(phrase, t) for t in scene.things)
    return replace(phrase, count=count) if count > 1 or rng.random() < _ONES else None


def _any(kind: str, rng: np.random.Generator) -> NounPhrase:
    shape, colour = str(rng.choice(SHAPES)), str(rng.choice(list(COLOURS)))
    texture = str(rng.choice(TEXTURES[1:]))
    patterned = str(rng.choice(PATTERNED_SHAPES))
    match kind:
        case "shape":
            return NounPhrase(shape)
        case "colour":
            return NounPhrase(shape, colour)
        case "texture":
            return NounPhrase(patterned, texture=texture)
        case "complex":
            if rng.random() < 0.5:
                return NounPhrase(patterned, colour, texture, "big")
            return NounPhrase(shape, colour, size=str(rng.choice(list(SIZES))))
        case _:
            coloured = colour if rng.random() < 0.5 else None
            return NounPhrase(shape, coloured, count=int(rng.integers(1, MAX_COUNT + 1)))


def _changed(phrase: NounPhrase, scene: Scene, rng: np.random.Generator) -> NounPhrase:
    """One claim changed, half of the time to what another thing of the scene is."""
    names = [n for n in (*_VALUES, "count") if getattr(phrase, n) is not None]
    if phrase.count is not None and rng.random() < 0.5:
        names = ["count"]
    name = names[int(rng.integers(len(names)))]
    if name == "count":
        return replace(phrase, count=int(rng.integers(1, MAX_COUNT + 1)))
    values = _VALUES[name]
    if rng.random() < 0.5:
        seen = {str(getattr(t, name)) for t in scene.things} & set(values)
        values = tuple(sorted(seen)) or values
    claim: dict[str, Any] = {name: str(rng.choice(values))}
    return replace(phrase, **claim)
