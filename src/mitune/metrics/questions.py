"""Prompts as the yes/no questions of BLIP-VQA: one for each noun phrase (T2I-CompBench, 4.2)."""

from __future__ import annotations

from mitune.language import Reader

SLOTS = 8
_PLACES = ("top", "the side", "the left", "the right")
_DELETED = str.maketrans("", "", '.!"()*#:;~')
_LONGEST = 50  # words


def questions(prompt: str, reader: Reader) -> list[str]:
    """At most eight questions about `prompt`, in the order of its noun phrases.

    As the official code has it: four phrases of place are not asked about (exact, case and all),
    and what comes after the eighth phrase is not asked at all.
    """
    reading = reader(prompt)
    phrases = [reading.written(phrase.span) for phrase in reading.phrases]
    asked = [phrase for phrase in phrases if phrase not in _PLACES]
    return [clean(f"{phrase}?") for phrase in asked[:SLOTS]]


def clean(question: str) -> str:
    """Lower case, without the characters ``. ! " ( ) * # : ; ~``, at most 50 words."""
    words = question.lower().translate(_DELETED).rstrip(" ").split(" ")
    return " ".join(words[:_LONGEST])
