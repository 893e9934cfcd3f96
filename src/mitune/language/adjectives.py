"""Prompts without their adjectives, by a closed list of words or by spaCy's tags.

The list is for the prompts that T2I-CompBench calls complex. A word of it is an adjective wherever
it stands, but for those that are nouns as well ("the rough square", "the dark"): these only before
another word of the phrase. Participles in -ing are verbs, materials ("leather", "glass") nouns.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mitune.language.nouns import ends_phrase, is_verb, word_set
from mitune.language.parser import ParserName, open_parser

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")

_ADJECTIVES = word_set(
    """
    red yellow green cyan blue purple pink brown black white gray grey tan beige golden colorful
    multicolored iridescent translucent transparent opaque matte glossy shiny bright vibrant vivid
    dull dim pale deep big large small tiny little huge tall short long narrow wide thick thin heavy
    bulky plump slender flat straight curved curvy rounded circular spherical oblong rectangular
    triangular pentagonal hexagonal cubic cubical conical cylindrical pyramidal angular geometric
    crooked twisted gnarled bumpy lumpy spiky prickly thorny jagged rugged smooth rough rough-edged
    sharp blunt textured rippled weathered cracked rusty rusted polished striped dotted checkered
    tiled dappled wooden metallic woolen silky satiny plush fluffy furry fuzzy pillowy soft hard
    firm stiff crisp crispy crunchy sticky slimy greasy gooey juicy ripe fresh raw tender sweet sour
    tart spicy savory bitter salty sugary delicious delectable fragrant pungent aromatic warm cool
    hot chilly chilled icy frozen slushy wet damp dry dusty muddy murky clear crystal-clear clean
    dirty old new young ancient modern early late sleek streamlined aerodynamic sturdy fragile
    delicate intricate detailed ornate elegant graceful grand majestic stylish beautiful pretty
    lovely stunning romantic cozy comfortable plain simple empty full open closed busy quiet calm
    serene peaceful gentle bold dynamic dramatic striking abstract artistic natural floral lush
    rocky reedy earthy rich precious priceless luxurious unique perfect favorite distant tired weary
    eager curious adventurous powerful hardworking tech-savvy timeless endless sheer gradual choppy
    fiery therapeutic maternal urban seasonal emotional welcome healthful enduring tie-dye hardcover
    single same other many several few own such
    """
)
_ALSO_NOUNS = word_set("orange gold silver square oval round dark cold human")


def open_dropper(name: ParserName) -> Callable[[str], str]:
    """What leaves adjectives out of a prompt: by the list, or by spaCy's tags as published.

    Raises
    ------
    MetricError
        If spaCy or its English model is not installed.
    """
    if name == "built_in":
        return without_adjectives
    parse = open_parser("adjectives")
    return lambda text: " ".join(token.text for token in parse(text) if token.pos_ != "ADJ")


def without_adjectives(text: str) -> str:
    """`text` with its adjectives, and the space after each, left out."""
    words = list(_WORD.finditer(text))
    kept, start = [], 0
    for word, following in zip(words, [*words[1:], None], strict=False):
        gap = text[word.end() : following.start()] if following else "."
        goes_on = following is not None and gap in (" ", ", ") and _continues(following.group())
        if _is_adjective(word.group().lower(), goes_on):
            kept.append(text[start : word.start()])
            start = word.end() + (len(gap) if gap.isspace() else 0)
    return "".join([*kept, text[start:]])


def _is_adjective(word: str, goes_on: bool) -> bool:
    return word in _ADJECTIVES or (goes_on and word in _ALSO_NOUNS)


def _continues(word: str) -> bool:
    """Whether a phrase goes on through the next word."""
    return not ends_phrase(word.lower()) and not is_verb(word.lower())
