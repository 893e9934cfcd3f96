"""English by spaCy, its mistakes included: what the published code would read."""

import sys
from pathlib import Path

import pytest

from mitune.errors import UserError
from mitune.language import Reader, english, open_reader, require_parser
from mitune.language.subjects import subjects

BY_HAND = Path(__file__).parents[1] / "metrics/data/noun_phrases.txt"
PHRASES = {
    "a green bench and a red car": ["a green bench", "a red car"],
    "rubber gloves and a wooden jewelry box": ["rubber gloves", "a wooden jewelry box"],
    "A dog on top of a car.": ["A dog", "top", "a car"],
    "a balloon on the left of a girl": ["a balloon", "the left", "a girl"],
    "a frog hidden by a pig": ["a frog", "a pig"],
    "two dogs, three red apples and one cat": ["two dogs", "three red apples", "one cat"],
    "A black and white cat sits in it": ["A black and white cat", "it"],
    "the sky is blue": ["the sky"],
    "a wooden cutting board": ["a wooden cutting board"],
    "a dog in front of a desk": ["a dog", "front", "a desk"],
    "a picture of a cat": ["a picture", "a cat"],
    "running quickly": [],
    # Two things in one phrase.
    "a red apple and yellow bananas": ["a red apple and yellow bananas"],
}


@pytest.fixture(scope="module")
def reader() -> Reader:
    return open_reader("spacy", "field")


@pytest.mark.parametrize("prompt", PHRASES)
def test_phrases_of_the_benchmarks_templates(reader: Reader, prompt: str) -> None:
    reading = reader(prompt)
    assert [reading.written(phrase.span) for phrase in reading.phrases] == PHRASES[prompt]


def test_most_phrases_are_those_listed_by_hand(reader: Reader) -> None:
    """32 of 40 prompts; the others are the small model's mistakes."""
    lines = [line for line in BY_HAND.read_text().splitlines() if not line.startswith("#")]
    right = 0
    for prompt, phrases in (line.split(" | ") for line in lines):
        reading = reader(prompt)
        right += [reading.written(p.span) for p in reading.phrases] == phrases.split("; ")
    assert (right, len(lines)) == (32, 40)


def test_the_whole_of_a_phrase_is_what_hangs_on_its_noun(reader: Reader) -> None:
    """Without the full stop, which hangs on the noun, too."""
    reading = reader("A red cup on a wooden table.")
    assert [reading.written(phrase.whole) for phrase in reading.phrases] == [
        "A red cup on a wooden table",
        "a wooden table",
    ]


@pytest.mark.parametrize(
    ("prompt", "things"),
    [
        ("a picture of a cat in front of it", ["cat"]),
        ("a girl on the top of a frog", ["girl", "frog"]),
        ("a painting on the right of a pig", ["painting", "pig"]),
        ("a dog on side of a wooden picture frame", ["dog", "frame"]),
        ("She holds the left side", ["side"]),
    ],
)
def test_subjects_are_things(reader: Reader, prompt: str, things: list[str]) -> None:
    reading = reader(prompt)
    assert [reading.written(phrase.head.span) for phrase in subjects(reading)] == things


@pytest.mark.parametrize("absent", ["spacy", "model"])
def test_what_is_missing_is_one_line(monkeypatch: pytest.MonkeyPatch, absent: str) -> None:
    if absent == "spacy":
        monkeypatch.setitem(sys.modules, "spacy", None)
    else:
        monkeypatch.setattr(english, "_NAMES", ("no_such_model",))
    said = r"^guidance\.parser: spaCy.* is not installed; `pip install 'mitune\[language\]'`"
    for ask in (open_reader, require_parser):
        with pytest.raises(UserError, match=said) as found:
            ask("spacy", "guidance.parser")
        assert "\n" not in str(found.value)
        assert ("en_core_web_sm" in str(found.value)) == (absent == "model")
        ask("miniature", "guidance.parser")
