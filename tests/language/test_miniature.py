"""The miniature's captions are read without a mistake."""

import numpy as np
import pytest

from mitune.errors import UserError
from mitune.language import open_reader
from mitune.language.subjects import subjects
from mitune.metrics.questions import questions
from mitune.miniature.caption import phrase_text, write
from mitune.miniature.description import sample_description
from mitune.miniature.vocabulary import CATEGORIES, COLOURS, SIZES, TEXTURES

READ = open_reader("miniature", "field")


def test_captions_give_back_their_phrases_and_adjectives() -> None:
    """Whatever opening, link or relation a caption has; no place and no opening is a phrase."""
    rng = np.random.default_rng(0)
    for index in range(800):
        description = sample_description(CATEGORIES[index % len(CATEGORIES)], rng)
        caption = write(description, rng)
        reading = READ(caption)
        expected = [phrase_text(phrase) for phrase in description.phrases]
        assert [reading.written(p.span) for p in reading.phrases] == expected, caption
        assert questions(caption, READ) == [f"{phrase}?" for phrase in expected]
        adjectives = [reading.written(w.span) for w in reading.words if w.is_adjective]
        claimed = [v for p in description.phrases for v in (p.size, p.texture, p.colour) if v]
        assert adjectives == claimed
        assert set(adjectives) <= {*COLOURS, *SIZES, *TEXTURES}
        assert subjects(reading) == list(reading.phrases)


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("Two stars left of one Cross.", [("Two stars", "stars"), ("one Cross", "Cross")]),
        ("a big thing", [("a big thing", "thing")]),
        ("red circle", [("red circle", "circle")]),
        ("red", []),
        ("the left of", []),
        ("", []),
    ],
)
def test_fragments(text: str, phrases: list[tuple[str, str]]) -> None:
    reading = READ(text)
    found = [(reading.written(p.span), reading.written(p.head.span)) for p in reading.phrases]
    assert found == phrases


def test_a_word_of_another_world_is_refused() -> None:
    with pytest.raises(UserError, match=r"does not know the word 'bear' in 'a bear'; use its") as e:
        READ("a bear")
    assert "\n" not in str(e.value)
