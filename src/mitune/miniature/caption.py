"""Plain English for a description, and back again; the noise of captions on the web.

`write` and `read` are inverse: the judge reads the meaning of a prompt from its text alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from mitune.miniature.description import Description, NounPhrase
from mitune.miniature.vocabulary import (
    COLOURS,
    INVERSE,
    MAX_COUNT,
    RELATIONS,
    SHAPES,
    SIZES,
    SPATIAL,
    TEXTURES,
)

NUMBERS = ("zero", "one", "two", "three", "four")
_VAGUE = "thing"
_PLURALS = {"cross": "crosses"} | {s: f"{s}s" for s in (*SHAPES, _VAGUE) if s != "cross"}
_OPENINGS = ("", "", "", "a picture of ", "there is ", "an image of ")
_JOINS = (" and ", " and ", " with ", " beside ")
_LINKS = {
    "left": ("on the left of", "to the left of", "left of"),
    "right": ("on the right of", "to the right of", "right of"),
    "above": ("above", "over", "on top of"),
    "below": ("below", "under", "underneath"),
    "front": ("in front of", "partly covering"),
    "behind": ("behind", "partly hidden by"),
    "touching": ("touching", "in contact with"),
    "inside": ("inside", "within"),
}
_WORDS_OF = {word: relation for relation, words in _LINKS.items() for word in words}
_LINK = re.compile(
    r"\s(" + "|".join(re.escape(w) for w in sorted(_WORDS_OF, key=len, reverse=True)) + r")\s"
)
_SINGULARS = {plural: shape for shape, plural in _PLURALS.items()} | {
    shape: shape for shape in (*SHAPES, _VAGUE)
}


@dataclass(frozen=True)
class CaptionNoise:
    """How captions go wrong, as probabilities.

    `replaced`, `vague`: per attribute (another value; left out). `omitted`: per noun phrase.
    `swapped`: per caption, the colours or textures of the two phrases change places. Diffuse
    errors dominate on purpose: they leave wrong images little mass, so that a model's own
    likelihood can tell them from right ones; a consistent swap is a mode of its own.
    """

    replaced: float = 0.12
    vague: float = 0.06
    omitted: float = 0.06
    swapped: float = 0.03


def write(description: Description, rng: np.random.Generator) -> str:
    """One of several English sentences that mean `description`."""
    phrases = [phrase_text(p) for p in description.phrases]
    if description.relation:
        words = _LINKS[description.relation]
        body = f"{phrases[0]} {words[int(rng.integers(len(words)))]} {phrases[1]}"
    else:
        body = str(rng.choice(_JOINS)).join(phrases)
    opening = str(rng.choice(_OPENINGS))
    first = description.phrases[0].count
    if opening == "there is " and first is not None and first > 1:
        opening = "there are "
    return opening + body


def words() -> list[str]:
    """Every word that a caption can have, sorted."""
    phrases = (*_OPENINGS, "there are ", *_JOINS, *_WORDS_OF, *_SINGULARS)
    values = (*NUMBERS, *COLOURS, *TEXTURES, *SIZES)
    return sorted({"a", "an", *values, *" ".join(phrases).split()})


def phrase_text(phrase: NounPhrase) -> str:
    """`two red circles`, `a big striped square`."""
    words = [w for w in (phrase.size, phrase.texture, phrase.colour) if w]
    noun = phrase.shape or _VAGUE
    if phrase.count is not None:
        return " ".join(
            [NUMBERS[phrase.count], *words, _PLURALS[noun] if phrase.count > 1 else noun]
        )
    words.append(noun)
    return f"{'an' if words[0][0] in 'aeiou' else 'a'} {' '.join(words)}"


def read(text: str) -> Description:
    """The meaning of a sentence that `write` can produce.

    Raises
    ------
    ValueError
        Naming the word that is not of this world.
    """
    body = text.strip().lower().rstrip(".")
    for opening in ("a picture of ", "there is ", "there are ", "an image of "):
        body = body.removeprefix(opening)
    link = _LINK.search(body)
    if link:
        parts = [body[: link.start()], body[link.end() :]]
        return Description(tuple(_read_phrase(p, text) for p in parts), _WORDS_OF[link.group(1)])
    parts = re.split(r"\s(?:and|with|beside)\s", body)
    return Description(tuple(_read_phrase(p, text) for p in parts))


def _read_phrase(words: str, text: str) -> NounPhrase:
    noun_phrase = NounPhrase()
    for word in words.split():
        if word in ("a", "an"):
            continue
        if word in NUMBERS:
            noun_phrase = replace(noun_phrase, count=NUMBERS.index(word))
        elif word in COLOURS:
            noun_phrase = replace(noun_phrase, colour=word)
        elif word in TEXTURES:
            noun_phrase = replace(noun_phrase, texture=word)
        elif word in SIZES:
            noun_phrase = replace(noun_phrase, size=word)
        elif word in _SINGULARS:
            noun = _SINGULARS[word]
            noun_phrase = replace(noun_phrase, shape=None if noun == _VAGUE else noun)
        else:
            raise ValueError(f"the miniature world does not know the word {word!r} in {text!r}")
    return noun_phrase


def corrupt(description: Description, noise: CaptionNoise, rng: np.random.Generator) -> Description:
    """The same description as a careless caption would have it."""
    phrases = list(description.phrases)
    relation = description.relation
    if len(phrases) == 2 and rng.random() < noise.swapped:
        a, b = phrases
        phrases = [
            replace(a, colour=b.colour, texture=b.texture),
            replace(b, colour=a.colour, texture=a.texture),
        ]
    phrases = [_careless(p, noise, rng) for p in phrases]
    if relation and rng.random() < noise.replaced:
        relation = INVERSE.get(relation) or str(rng.choice(RELATIONS))
        if relation in SPATIAL:
            relation = str(rng.choice(SPATIAL))
    if relation and rng.random() < noise.vague:
        relation = None
    if len(phrases) == 2 and rng.random() < 2 * noise.omitted:
        return Description((phrases[int(rng.integers(2))],))
    return Description(tuple(phrases), relation)


def _careless(phrase: NounPhrase, noise: CaptionNoise, rng: np.random.Generator) -> NounPhrase:
    def slip(value: str | None, values: tuple[str, ...]) -> str | None:
        if value is None or rng.random() < noise.vague:
            return None
        return str(rng.choice(values)) if rng.random() < noise.replaced else value

    count = phrase.count
    if count is not None and rng.random() < noise.replaced:
        count = int(rng.integers(1, MAX_COUNT + 1))
    return NounPhrase(
        slip(phrase.shape, SHAPES),
        slip(phrase.colour, tuple(COLOURS)),
        slip(phrase.texture, TEXTURES[1:]),
        slip(phrase.size, tuple(SIZES)),
        count,
    )
