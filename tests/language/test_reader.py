"""What every reader of prompts keeps to."""

from typing import get_args

import numpy as np
import pytest

from mitune.language import ParserName, Reader, open_reader, reader_version, tokens_in
from mitune.language.subjects import subjects
from mitune.metrics.questions import questions
from mitune.miniature.caption import write
from mitune.miniature.description import sample_description
from mitune.miniature.vocabulary import CATEGORIES
from tests.conftest import ROOT


@pytest.fixture(scope="module", params=get_args(ParserName))
def reader(request) -> Reader:
    return open_reader(request.param, "field")


def captions() -> list[str]:
    rng = np.random.default_rng(0)
    return [write(sample_description(category, rng), rng) for category in CATEGORIES * 12]


def test_everything_stands_where_it_says(reader: Reader) -> None:
    for text in [*captions(), "", "A circle, and two Stars."]:
        reading = reader(text)
        assert reading == reader(text) and reading.text == text
        ends = [end for word in reading.words for end in word.span]
        assert ends == sorted(ends)
        assert "".join(reading.written(w.span) for w in reading.words) == text.replace(" ", "")
        assert [p.span for p in reading.phrases] == sorted(p.span for p in reading.phrases)
        for phrase in reading.phrases:
            (start, end), (first, last) = phrase.span, phrase.whole
            assert phrase.head in reading.words
            assert first <= start <= phrase.head.span[0] < phrase.head.span[1] <= end <= last


def test_templates_are_read_alike(reader: Reader) -> None:
    reading = reader("a big red circle and two striped squares")
    assert [reading.written(p.span) for p in reading.phrases] == [
        "a big red circle",
        "two striped squares",
    ]
    assert [reading.written(p.head.span) for p in subjects(reading)] == ["circle", "squares"]
    adjectives = [reading.written(w.span) for w in reading.words if w.is_adjective]
    assert adjectives[:2] == ["big", "red"]
    assert reader("").phrases == ()


def test_spacy_and_the_miniatures_reader_agree_on_its_captions() -> None:
    """Nine in ten questions that either asks about the shipped prompts are asked by both.

    Left out: `a picture?` and `front?`, which only spaCy asks.
    """
    spacy, own = (open_reader(parser, "field") for parser in get_args(ParserName))
    asked_by_both = asked = 0
    for file in sorted((ROOT / "data/01_raw/prompts/miniature").glob("*_test.txt")):
        for prompt in file.read_text().splitlines()[:40]:
            ours = set(questions(prompt, own))
            extra = {"a picture?", "an image?", "front?", "contact?"}
            theirs = set(questions(prompt, spacy)) - extra
            asked_by_both += len(ours & theirs)
            asked += len(ours | theirs)
    assert asked > 300
    assert asked_by_both >= 0.9 * asked, f"{asked_by_both} of {asked}"


def test_versions_are_named() -> None:
    assert reader_version("miniature") == "miniature"
    assert reader_version("spacy").startswith("spacy 3.8.")
    assert reader_version("spacy").endswith(", en_core_web_sm 3.8.0")


def test_tokens_are_those_that_overlap() -> None:
    # <s>, "a", "xylo", "phone", "here", </s>; the text goes on, cut off.
    offsets = [(0, 0), (0, 1), (2, 6), (6, 11), (12, 16), (0, 0)]
    assert tokens_in((0, 11), offsets) == [1, 2, 3]
    assert tokens_in((2, 11), offsets) == [2, 3]
    assert tokens_in((17, 20), offsets) == []
    assert tokens_in((0, 1), offsets) == [1]
