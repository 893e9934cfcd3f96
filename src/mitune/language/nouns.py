"""Counted and related nouns of T2I-CompBench's sentences, by rule.

"A giraffe next to a lamp", "two guitars, a helicopter, and a balloon entertained the crowd": words
run from an article or a number to the next word that cannot be part of a noun phrase. Here a rule
is nearer to the benchmark than spaCy (docs/metrics.md): its own code looks nouns up in a list, and
the rule finds them all. Free prose is beyond it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

NUMBERS = {
    word: value
    for value, words in enumerate(
        (("a", "an", "one"), ("two",), ("three",), ("four",), ("five",), ("six",), ("seven",),
         ("eight",)), start=1,
    )
    for word in words
}  # fmt: skip
# What T2I-CompBench renames, because its detector's labels have no such word.
PEOPLE = dict.fromkeys(("girl", "boy", "man", "woman"), "person")

_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|\d+|[.,;:!?]")


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_CLOSED = word_set(
    "the this that these those his her its their and or but with without of in on at to into onto "
    "from for by near next beside besides behind above below over under underneath between inside "
    "outside across along alongside around through past against up down off out while as is are "
    "was were be been being has have had there it they who which some many no"
)
_BE = word_set("is are was were")
_PASTS = word_set(
    "ate came cut drank drew drove fell flew grew held hung kept lay leapt made ran rode rose sang "
    "sank sat shone slept sped spun stood stuck swam swung took went wore wrote"
)
# Nouns that end like participles.
_NAMES = word_set(
    "building ceiling clothing duckling dumpling earring evening morning painting pudding string "
    "wing wedding hundred thing swing sling spring"
)
_ALIKE = word_set(
    "sheep fish goldfish deer shrimp aircraft scissors pants jeans trousers shorts sunglasses "
    "binoculars headphones"
)
_NO_PLURALS = word_set("lens gas canvas atlas")
_IRREGULAR = {
    "people": "person", "children": "child", "mice": "mouse", "geese": "goose", "feet": "foot",
    "teeth": "tooth", "oxen": "ox", "lenses": "lens", "cacti": "cactus", "leaves": "leaf",
    "loaves": "loaf", "thieves": "thief", "halves": "half", "calves": "calf", "wolves": "wolf",
    "shelves": "shelf", "scarves": "scarf", "knives": "knife", "wives": "wife", "lives": "life",
    "hooves": "hoof", "elves": "elf", "movies": "movie", "cookies": "cookie", "pies": "pie",
    "ties": "tie", "zombies": "zombie", "toes": "toe", "canoes": "canoe", "axes": "axe",
}  # fmt: skip
_ENDINGS = tuple(
    (re.compile(plural), one)
    for plural, one in (
        (r"(ss|us|is)$", r"\1"),
        (r"^(|wo|fire|police|snow|fisher|business|gentle)men$", r"\1man"),
        (r"ies$", "y"),
        (r"shoes$", "shoe"),
        (r"oes$", "o"),
        (r"(?<!o)uses$", "us"),
        (r"(ss|x|(?<![ai])z|ch|sh)es$", r"\1"),
        (r"(?<=..)s$", ""),
    )
)


def words(text: str) -> list[str]:
    """Lower-case words and punctuation marks."""
    return _WORD.findall(text.lower())


def singular(word: str) -> str:
    """`knives` -> `knife`, `sheep` -> `sheep`; of several words the last is changed."""
    *before, last = word.split(" ")
    return " ".join([*before, _singular(last)])


def is_plural(word: str) -> bool:
    """Whether a word is, or may be, a plural."""
    return word in _ALIKE or singular(word) != word


def is_verb(word: str) -> bool:
    """Whether a word reads as the verb of a caption: a participle or a past tense."""
    ends = (word.endswith("ed") and len(word) > 4) or (word.endswith("ing") and len(word) > 4)
    return word in _PASTS or word in _BE or (ends and word not in _NAMES)


def is_being(word: str) -> bool:
    """Whether a word is a form of "to be"."""
    return word in _BE


def ends_phrase(word: str) -> bool:
    """Whether no noun phrase goes on through this word."""
    return word in _CLOSED or word in NUMBERS or not word[0].isalpha()


def phrase_after(following: Sequence[str]) -> list[str]:
    """The noun phrase that `following` begins with, without articles; empty if there is none."""
    start = next((i for i, word in enumerate(following) if not ends_phrase(word)), len(following))
    end = next((i for i in range(start, len(following)) if ends_phrase(following[i])), None)
    phrase = list(following[start:end])
    while len(phrase) > 1 and is_verb(phrase[-1]):
        phrase.pop()
    return phrase


def phrase_before(preceding: Sequence[str]) -> list[str]:
    """The noun phrase nearest the end of `preceding`, without articles; empty if there is none."""
    end = len(preceding)
    while end and (ends_phrase(preceding[end - 1]) or is_verb(preceding[end - 1])):
        end -= 1
    start = end
    while start and not ends_phrase(preceding[start - 1]):
        start -= 1
    verb = next((i for i in range(start + 1, end) if preceding[i] in _PASTS), end)
    return list(preceding[start:verb])  # "the sunflower stood tall"


def renamed(phrase: str, names: dict[str, str]) -> str:
    """The phrase with its last word, if it is in `names`, replaced."""
    *before, last = phrase.split(" ")
    return " ".join([*before, names.get(last, last)])


def _singular(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _ALIKE or word in _NO_PLURALS:
        return word
    return next((p.sub(one, word) for p, one in _ENDINGS if p.search(word)), word)
