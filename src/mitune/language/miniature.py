"""The miniature's captions, whose grammar is closed: every word of them is known."""

from __future__ import annotations

import re

from mitune.errors import UserError
from mitune.language.reader import NounPhrase, Reading, Word
from mitune.miniature.caption import NUMBERS, phrase_text, words
from mitune.miniature.description import NounPhrase as Thing
from mitune.miniature.vocabulary import COLOURS, SHAPES, SIZES, TEXTURES

_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
_NOUNS = {
    phrase_text(Thing(shape, count=count)).split()[-1]
    for shape in (*SHAPES, None)
    for count in (1, 2)
}
_TAGS = {
    **dict.fromkeys(words(), "X"),  # openings, joins and relations: never part of a phrase
    **dict.fromkeys(("a", "an", "the"), "DET"),
    **dict.fromkeys(NUMBERS, "NUM"),
    **dict.fromkeys((*COLOURS, *TEXTURES, *SIZES), "ADJ"),
    **dict.fromkeys(_NOUNS, "NOUN"),
}
_BEFORE_NOUNS = ("DET", "NUM", "ADJ")


def read(text: str) -> Reading:
    """Read a caption: a phrase is what stands before a noun of this world, and the noun.

    Raises
    ------
    UserError
        Naming a word that is not of this world.
    """
    every = tuple(Word(found.span(), _tag(found.group(), text)) for found in _WORD.finditer(text))
    phrases, first = [], None
    for word in every:
        if word.tag in _BEFORE_NOUNS:
            first = first or word
            continue
        if word.is_noun:
            span = ((first or word).span[0], word.span[1])
            phrases.append(NounPhrase(span, word, span))
        first = None
    return Reading(text, every, tuple(phrases))


def _tag(word: str, text: str) -> str:
    if not word.isalnum():
        return "PUNCT"
    if word.lower() not in _TAGS:
        raise UserError(
            f"the miniature world does not know the word {word!r} in {text!r}; use its words, or "
            "`parser: spacy` for English"
        )
    return _TAGS[word.lower()]
