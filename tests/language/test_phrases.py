"""Noun phrases, their heads, and the tokens they become."""

import pytest

from mitune.language.phrases import PhraseReader, tokens_in


def written(text: str, reader: PhraseReader) -> list[tuple[str, str]]:
    return [(text[slice(*p.span)], text[slice(*p.head)]) for p in reader(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a red dot and a blue square", [("a red dot", "dot"), ("a blue square", "square")]),
        ("Two stars left of one Cross.", [("Two stars", "stars"), ("one Cross", "Cross")]),
        ("a bear in front of it", [("a bear", "bear")]),
        ("red", []),
        ("", []),
    ],
)  # fmt: skip
def test_word_lists_read_templates(text: str, expected: list[tuple[str, str]]) -> None:
    assert written(text, PhraseReader("built_in", "field")) == expected


def test_spacy_reads_nested_phrases_too() -> None:
    pytest.importorskip("spacy").util.is_package("en_core_web_sm") or pytest.skip("no model")
    text = "a red cup on a wooden table next to it"
    flat = written(text, PhraseReader("spacy", "field"))
    nested = written(text, PhraseReader("spacy", "field", nested=True))
    assert flat == [("a red cup", "cup"), ("a wooden table", "table")]
    assert set(flat) < set(nested)


def test_tokens_are_those_that_overlap() -> None:
    # <s>, "a", "xylo", "phone", "here", </s>; the text goes on, cut off.
    offsets = [(0, 0), (0, 1), (2, 6), (6, 11), (12, 16), (0, 0)]
    assert tokens_in((0, 11), offsets) == [1, 2, 3]
    assert tokens_in((2, 11), offsets) == [2, 3]
    assert tokens_in((17, 20), offsets) == []
    assert tokens_in((0, 1), offsets) == [1]
