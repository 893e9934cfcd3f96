"""Edits of a scene: one attribute of one thing becomes another, and nothing else changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mitune.miniature.caption import phrase_text, write
from mitune.miniature.description import Description
from mitune.miniature.layout import sample_scene
from mitune.miniature.scene import Scene
from mitune.miniature.vocabulary import COLOURS, PATTERNED_SHAPES, SHAPES, SPATIAL, TEXTURES

_VALUES = {"colour": tuple(COLOURS), "shape": SHAPES, "texture": TEXTURES[1:]}


@dataclass(frozen=True)
class SceneEdit:
    """`before` and `after`, whose thing `changed` differs.

    `instruction`: what to do, `make the red circle blue`. `caption`: a prompt that `after` makes
    true.
    """

    before: Scene
    after: Scene
    changed: int
    instruction: str
    caption: str


def editable(description: Description) -> bool:
    """Whether an attribute is claimed that can be changed with everything else in its place.

    Counted things are not told apart, and things in contact hang on their shapes.
    """
    free = description.relation is None or description.relation in SPATIAL
    return free and not any(phrase.count for phrase in description.phrases)


def sample_edit(description: Description, rng: np.random.Generator) -> SceneEdit:
    """A random edit of a random scene of an `editable` description.

    The new value is none that the description claims of another thing, so that the edit cannot be
    done by the other thing. Shapes with a pattern become shapes that a pattern can be told on.
    """
    changed = int(rng.integers(len(description.phrases)))
    phrase = description.phrases[changed]
    names = [name for name in _VALUES if getattr(phrase, name)]
    name = names[int(rng.integers(len(names)))]
    taken = {getattr(p, name) for p in description.phrases}
    patterned = name == "shape" and phrase.texture
    values = [v for v in (PATTERNED_SHAPES if patterned else _VALUES[name]) if v not in taken]
    new: dict[str, Any] = {name: values[int(rng.integers(len(values)))]}
    phrases = list(description.phrases)
    phrases[changed] = replace(phrase, **new)
    before = sample_scene(description, rng)
    things = list(before.things)
    things[changed] = replace(things[changed], **new)
    if name == "shape" and new["shape"] not in PATTERNED_SHAPES:
        things[changed] = replace(things[changed], texture="plain")
    what = phrase_text(phrase).split(" ", 1)[1]
    article = "an" if new[name][0] in "aeiou" else "a"
    into = f"{article} {new[name]}" if name == "shape" else new[name]
    return SceneEdit(
        before,
        replace(before, things=tuple(things)),
        changed,
        f"make the {what} {into}",
        write(Description(tuple(phrases), description.relation), rng),
    )
