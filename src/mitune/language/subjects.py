"""What of a prompt is to be seen in its picture."""

from __future__ import annotations

from mitune.language.reader import NounPhrase, Reading

# Nouns in `on the left of`, `in front of`, `a picture of`: no parser tells them from things.
_PLACES = {"back", "bottom", "center", "centre", "corner", "edge", "front", "left", "middle",
           "right", "side", "top"}  # fmt: skip
_FRAMES = {"drawing", "image", "painting", "photo", "photograph", "picture"}


def subjects(reading: Reading) -> list[NounPhrase]:
    """Noun phrases that name a thing, in order.

    None is a pronoun (the thing is named elsewhere), a place `of` something or a frame `of` it;
    "a painting on the right of a pig" has a painting and a pig.
    """
    following = dict(zip(reading.words, reading.words[1:], strict=False))
    found = []
    for phrase in reading.phrases:
        after = following.get(phrase.head)
        of = after is not None and reading.written(after.span).lower() == "of"
        named = reading.written(phrase.head.span).lower()
        if phrase.head.is_noun and not (of and named in _PLACES | _FRAMES):
            found.append(phrase)
    return found
