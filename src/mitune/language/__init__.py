"""What prompts say: noun phrases, their heads and adjectives, by a reader of the prompts' language.

Counts and relations of the benchmark's sentences are read by rule (`nouns.py`, `relations.py`).
"""

from typing import Literal, TypeAlias

from mitune.language import english, miniature
from mitune.language.reader import NounPhrase, Reader, Reading, Span, Word, tokens_in

ParserName: TypeAlias = Literal["spacy", "miniature"]


def open_reader(parser: ParserName, field: str) -> Reader:
    """Who reads the prompts of the setting `field`.

    Raises
    ------
    UserError
        As `require_parser`.
    """
    return english.EnglishReader(field) if parser == "spacy" else miniature.read


def require_parser(parser: ParserName, field: str) -> None:
    """Refuse a parser that is not installed; nothing is imported.

    Raises
    ------
    UserError
        Naming `field` and the fix.
    """
    if parser == "spacy":
        english.installed_model(field)


def reader_version(parser: ParserName) -> str:
    """What readings depend on: the name, or the versions of spaCy and its model."""
    return english.version_text() if parser == "spacy" else parser


__all__ = [
    "NounPhrase",
    "ParserName",
    "Reader",
    "Reading",
    "Span",
    "Word",
    "open_reader",
    "reader_version",
    "require_parser",
    "tokens_in",
]
