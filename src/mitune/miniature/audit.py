"""How reliable the judge is: pictures whose truth is known, and the same with one claim broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mitune.miniature.caption import write
from mitune.miniature.description import Description, NounPhrase, sample_description
from mitune.miniature.geometry import signed_distance
from mitune.miniature.judge import Judge
from mitune.miniature.layout import sample_scene
from mitune.miniature.render import render_all
from mitune.miniature.scene import CANVAS, Scene, Thing
from mitune.miniature.vocabulary import (
    CATEGORIES,
    COLOURS,
    CONTACT,
    DEPTH,
    INVERSE,
    MAX_COUNT,
    SHAPES,
    TEXTURES,
)

Images = NDArray[np.uint8]
_VISIBLE = 10  # pixels


def break_claim(description: Description, rng: np.random.Generator) -> tuple[str, Description]:
    """Exactly one claim made false: what was done, and what the picture then shows."""
    ways = _ways(description)
    kind = ways[int(rng.integers(len(ways)))]
    return kind, _BREAKS[kind](description, rng)


def audit(
    judge: Judge,
    per_category: int,
    seed: int = 0,
    through: Callable[[Images], Images] | None = None,
) -> pd.DataFrame:
    """One row per picture: category, what was broken (`nothing` for half), score, right.

    `through` may pass the pictures through an autoencoder first.
    """
    rng = np.random.default_rng(seed)
    rows, scenes = [], []
    for category in CATEGORIES:
        for index in range(per_category):
            claimed = sample_description(category, rng)
            broken, shown = ("nothing", claimed) if index % 2 == 0 else break_claim(claimed, rng)
            rows.append({"category": category, "broken": broken, "prompt": write(claimed, rng)})
            scenes.append(_clear_scene(shown, rng))
    images = render_all(scenes)
    table = pd.DataFrame(rows)
    verdicts = judge(through(images) if through else images, list(table["prompt"]))
    table["score"] = [verdict.score for verdict in verdicts]
    table["right"] = (table["score"] > 0.5) == (table["broken"] == "nothing")
    return table


def _clear_scene(description: Description, rng: np.random.Generator) -> Scene:
    """A scene that does show its relation: about 1 % of depth scenes overlap too little to see."""
    while True:
        scene = sample_scene(description, rng)
        if description.relation not in DEPTH or _overlap(*scene.things) >= _VISIBLE:
            return scene


def _overlap(a: Thing, b: Thing) -> int:
    """Pixels that both things cover."""
    return int(((signed_distance(a, CANVAS) < 0) & (signed_distance(b, CANVAS) < 0)).sum())


def _ways(description: Description) -> list[str]:
    phrases, relation = description.phrases, description.relation
    ways = [
        way
        for way, claimed in (
            ("wrong colour", any(p.colour for p in phrases)),
            ("wrong texture", any(p.texture for p in phrases)),
            ("wrong shape", not any(p.count for p in phrases)),
            ("wrong count", any(p.count for p in phrases)),
            ("missing object", len(phrases) == 2 and not any(p.count for p in phrases)),
            ("wrong relation", relation in INVERSE),
            ("not in contact", relation in CONTACT),
        )
        if claimed
    ]
    distinct = len(phrases) == 2 and phrases[0].shape != phrases[1].shape
    coloured = distinct and len({p.colour for p in phrases} - {None}) == 2
    # Inside a thing there is only room for a small one: swapping sizes is another picture.
    if coloured and relation != "inside":
        ways.append("swapped colours")
    return ways


def _other(value: str | None, values: tuple[str, ...], rng: np.random.Generator) -> str:
    return str(rng.choice([v for v in values if v != value]))


def _change(
    description: Description, change: Callable[[NounPhrase], NounPhrase], having: str
) -> Description:
    """Change the first phrase that claims the attribute `having`."""
    phrases = list(description.phrases)
    index = next(i for i, p in enumerate(phrases) if getattr(p, having) is not None)
    phrases[index] = change(phrases[index])
    return replace(description, phrases=tuple(phrases))


def _wrong_colour(d: Description, rng: np.random.Generator) -> Description:
    taken = {p.colour for p in d.phrases}
    free = tuple(c for c in COLOURS if c not in taken)
    return _change(d, lambda p: replace(p, colour=_other(p.colour, free, rng)), "colour")


def _wrong_texture(d: Description, rng: np.random.Generator) -> Description:
    taken = {p.texture for p in d.phrases}
    free = tuple(t for t in TEXTURES[1:] if t not in taken)
    return _change(d, lambda p: replace(p, texture=_other(p.texture, free, rng)), "texture")


def _wrong_shape(d: Description, rng: np.random.Generator) -> Description:
    taken = {p.shape for p in d.phrases}
    free = tuple(s for s in SHAPES[:3] if s not in taken) or ("cross", "star")
    return _change(d, lambda p: replace(p, shape=_other(p.shape, free, rng)), "shape")


def _wrong_count(d: Description, rng: np.random.Generator) -> Description:
    """Another count for the most numerous phrase; the picture still holds at most four things."""
    phrases = list(d.phrases)
    index = int(np.argmax([p.count or 0 for p in phrases]))
    room = MAX_COUNT - sum(p.count or 0 for i, p in enumerate(phrases) if i != index)
    counts = tuple(str(n) for n in range(1, room + 1))
    count = int(_other(str(phrases[index].count), counts, rng))
    phrases[index] = replace(phrases[index], count=count)
    return replace(d, phrases=tuple(phrases))


def _missing(d: Description, rng: np.random.Generator) -> Description:
    return Description((d.phrases[int(rng.integers(2))],))


def _wrong_relation(d: Description, rng: np.random.Generator) -> Description:
    return replace(d, relation=INVERSE[str(d.relation)])


def _apart(d: Description, rng: np.random.Generator) -> Description:
    return replace(d, relation=None)


def _swapped(d: Description, rng: np.random.Generator) -> Description:
    a, b = d.phrases
    return replace(d, phrases=(replace(a, colour=b.colour), replace(b, colour=a.colour)))


_BREAKS: dict[str, Callable[[Description, np.random.Generator], Description]] = {
    "wrong colour": _wrong_colour,
    "wrong texture": _wrong_texture,
    "wrong shape": _wrong_shape,
    "wrong count": _wrong_count,
    "missing object": _missing,
    "wrong relation": _wrong_relation,
    "not in contact": _apart,
    "swapped colours": _swapped,
}
