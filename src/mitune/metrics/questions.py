"""Prompts as the yes/no questions of BLIP-VQA: one for each noun phrase (T2I-CompBench, 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from mitune.language.chunks import noun_chunks
from mitune.language.parser import ParserName, open_parser

SLOTS = 8
_PLACES = ("top", "the side", "the left", "the right")
_DELETED = str.maketrans("", "", '.!"()*#:;~')
_LONGEST = 50  # words

Chunker: TypeAlias = Callable[[str], list[str]]


def questions(prompt: str, chunker: Chunker) -> list[str]:
    """At most eight questions about `prompt`, in the order of its noun phrases.

    As the official code has it: four words of place are not asked about (exact, case and all),
    and what comes after the eighth phrase is not asked at all.
    """
    chunks = [chunk for chunk in chunker(prompt) if chunk not in _PLACES]
    return [clean(f"{chunk}?") for chunk in chunks[:SLOTS]]


def clean(question: str) -> str:
    """Lower case, without the characters ``. ! " ( ) * # : ; ~``, at most 50 words."""
    words = question.lower().translate(_DELETED).rstrip(" ").split(" ")
    return " ".join(words[:_LONGEST])


def open_chunker(name: ParserName) -> Chunker:
    """`built_in` (for the benchmark's templates and the miniature), or `spacy` as published.

    Raises
    ------
    MetricError
        If spaCy or its English model is not installed.
    """
    if name == "built_in":
        return noun_chunks
    parse = open_parser("chunker")
    return lambda prompt: [chunk.text for chunk in parse(prompt).noun_chunks]
