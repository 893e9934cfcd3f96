"""Noun phrases of a prompt with their heads, and which tokens of a text encoder they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mitune.language.chunks import is_pronoun, noun_chunk_spans
from mitune.language.parser import ParserName, open_parser

Span = tuple[int, int]


@dataclass(frozen=True)
class NounPhrase:
    """Where a noun phrase, and the noun that it is about, stand: (start, end) in characters."""

    span: Span
    head: Span


class PhraseReader:
    """Reads noun phrases by `built_in` word lists, or by spaCy as published.

    spaCy's phrases are its noun chunks; `nested` adds what else hangs on their nouns ("a cup on a
    table" beside "a cup" and "a table"), which the word lists cannot tell.

    Raises UserError, naming `field`, if spaCy or its English model is asked for and missing.
    """

    def __init__(self, parser: ParserName, field: str, nested: bool = False) -> None:
        self._document = open_parser(field) if parser == "spacy" else None
        self._nested = nested

    def __call__(self, text: str) -> list[NounPhrase]:
        """Phrases in the order of their ends; a pronoun is none."""
        if self._document is None:
            phrases = list(_by_word_lists(text))
        else:
            phrases = list(_by_spacy(self._document(text), self._nested))
        return sorted(dict.fromkeys(phrases), key=lambda phrase: phrase.span[::-1])


def _by_word_lists(text: str) -> Iterable[NounPhrase]:
    """The last word of a chunk is its head."""
    for start, end in noun_chunk_spans(text):
        if not is_pronoun(text[start:end]):
            word = text[start:end].rsplit(maxsplit=1)[-1]
            yield NounPhrase((start, end), (end - len(word), end))


def _by_spacy(document: Any, nested: bool) -> Iterable[NounPhrase]:
    for chunk in document.noun_chunks:
        root = chunk.root
        if root.pos_ not in ("NOUN", "PROPN"):
            continue
        head = (root.idx, root.idx + len(root))
        yield NounPhrase((chunk.start_char, chunk.end_char), head)
        if nested:
            first, last = root.left_edge, root.right_edge
            yield NounPhrase((first.idx, last.idx + len(last)), head)


def tokens_in(span: Span, offsets: Sequence[Span]) -> list[int]:
    """Positions of the tokens that overlap `span`; fewer, or none, where the text was cut off.

    `offsets` are (start, end) of each token in characters, empty for special tokens.
    """
    start, end = span
    return [i for i, (a, b) in enumerate(offsets) if a < b and a < end and b > start]
