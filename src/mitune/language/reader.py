"""The contract of who reads prompts, and what is read: words and noun phrases, where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Span: TypeAlias = tuple[int, int]  # (start, end) in characters


@dataclass(frozen=True)
class Word:
    """A word or punctuation mark and its universal part of speech (NOUN, ADJ, PUNCT, ...)."""

    span: Span
    tag: str

    @property
    def is_noun(self) -> bool:
        """Whether it names something: a noun or a proper noun, no pronoun."""
        return self.tag in ("NOUN", "PROPN")

    @property
    def is_adjective(self) -> bool:
        """Whether it is tagged so; participles and nouns before nouns are not."""
        return self.tag == "ADJ"


@dataclass(frozen=True)
class NounPhrase:
    """`span` is that of a phrase without another phrase in it, `head` the word that it is about.

    `whole` has what hangs on the head, too: "a cup on a table" of "a cup".
    """

    span: Span
    head: Word
    whole: Span


@dataclass(frozen=True)
class Reading:
    """A text with all its words, and its noun phrases in order, those of pronouns included."""

    text: str
    words: tuple[Word, ...]
    phrases: tuple[NounPhrase, ...]

    def written(self, span: Span) -> str:
        """What stands there."""
        return self.text[slice(*span)]


class Reader(Protocol):
    """Reads one prompt; the same text is read alike whatever was read before."""

    def __call__(self, text: str) -> Reading:
        """Read `text`. Raises UserError, naming a word that the reader cannot know."""
        ...


def tokens_in(span: Span, offsets: Sequence[Span]) -> list[int]:
    """Positions of the tokens that overlap `span`; fewer, or none, where the text was cut off.

    `offsets` are (start, end) of each token in characters, empty for special tokens.
    """
    start, end = span
    return [i for i, (a, b) in enumerate(offsets) if a < b and a < end and b > start]
