"""Two objects and what a prompt says of where they are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mitune.language.nouns import PEOPLE, phrase_after, phrase_before, renamed, singular, words


@dataclass(frozen=True)
class Relation:
    """`first` <words> `second`; both noun phrases are without article, in the singular."""

    words: str
    first: str
    second: str

    @property
    def nouns(self) -> Relation:
        """With single nouns, people being `person`, as the benchmark's detector is asked."""
        first, second = (renamed(p.split(" ")[-1], PEOPLE) for p in (self.first, self.second))
        return Relation(self.words, first, second)


def read_relation(prompt: str, known: Iterable[str]) -> Relation | None:
    """The first of the `known` wordings that is in the prompt, with the nouns nearest to it.

    None if there is no such wording, or no noun on one of its sides. The official code takes the
    first and the last noun that spaCy tags (for "complex" prompts the nearest, as here), and finds
    wordings inside of words.
    """
    match = find_wording(prompt, known)
    if match is None:
        return None
    first = phrase_before(words(prompt[: match.start()]))
    second = phrase_after(words(prompt[match.end() :]))
    if not first or not second:
        return None
    return Relation(match[0].lower(), singular(" ".join(first)), singular(" ".join(second)))


def find_wording(prompt: str, known: Iterable[str]) -> re.Match[str] | None:
    """Where the first of the `known` wordings that is in the prompt stands."""
    searches = (re.search(rf"\b{re.escape(w)}\b", prompt, re.IGNORECASE) for w in known)
    return next(filter(None, searches), None)
