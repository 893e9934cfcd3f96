"""Prompts as the yes/no questions of BLIP-VQA: one for each noun phrase (T2I-CompBench, 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Literal, TypeAlias

from mitune.metrics.base import MetricError
from mitune.metrics.chunks import noun_chunks

SLOTS = 8
_PLACES = ("top", "the side", "the left", "the right")
_DELETED = str.maketrans("", "", '.!"()*#:;~')
_LONGEST = 50  # words
_MODEL = "en_core_web_sm"

Chunker: TypeAlias = Callable[[str], list[str]]
ChunkerName: TypeAlias = Literal["built_in", "spacy"]


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


def open_chunker(name: ChunkerName) -> Chunker:
    """`built_in` (for the benchmark's templates and the miniature), or `spacy` as published.

    Raises
    ------
    MetricError
        If spaCy or its English model is not installed.
    """
    return noun_chunks if name == "built_in" else _spacy()


def chunker_version(name: ChunkerName) -> str:
    """The name, and the versions of spaCy and its model: with them phrases change."""
    if name == "built_in":
        return name
    return ", ".join(f"{package} {_version(package)}" for package in ("spacy", _MODEL))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _spacy() -> Chunker:
    try:
        import spacy  # noqa: PLC0415

        parse = spacy.load(_MODEL)
    except ImportError:
        raise MetricError(
            "chunker: spacy is not installed; `pip install 'mitune[spacy]'`, "
            f"`python -m spacy download {_MODEL}`, or set chunker: built_in"
        ) from None
    except OSError:
        raise MetricError(
            f"chunker: spaCy's model {_MODEL} is not installed; "
            f"`python -m spacy download {_MODEL}`, or set chunker: built_in"
        ) from None
    return lambda prompt: [chunk.text for chunk in parse(prompt).noun_chunks]
