"""Numeracy of T2I-CompBench++ (Huang et al. 2025): half for being there, half for the right number.

By an open-vocabulary detector instead of UniDet: a different metric, whose numbers do not go
beside the published ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mitune.language.nouns import (
    NUMBERS,
    PEOPLE,
    ends_phrase,
    is_plural,
    is_verb,
    renamed,
    singular,
    word_set,
    words,
)
from mitune.metrics.base import Metric, Scorer
from mitune.metrics.boxes import Box, Boxes, containment, iou
from mitune.metrics.detectors import DetectorConfig
from mitune.metrics.units import Units

# Misspelt as in the prompts that have it.
ALIASES = PEOPLE | {
    "ship": "boat",
    "telivision": "tv",
    "goldfish": "fish",
    "painting": "picture",
}
_SAME = 0.9
_FRAMES = word_set("picture photo photograph image drawing group pair couple bunch set")


class Numeracy(Metric):
    """Score in [0, 1]. 0 where the prompt counts nothing that is read here.

    The detector is asked for the counted noun phrases (`queries: phrase`), or for their last words
    (`noun`). Departure: the official code looks nouns up in a list; here they are read from the
    prompt by rule (`counted`).
    """

    scale: ClassVar[str] = "0 to 1; open-vocabulary detector, not comparable with UniDet's"
    units: ClassVar[Units] = Units("proportion")
    preprocessing: ClassVar[str] = "the detector's"
    label_match: ClassVar[Literal["equal", "contain"]] = "contain"

    kind: Literal["numeracy_ovd"] = "numeracy_ovd"
    detector: DetectorConfig
    queries: Literal["noun", "phrase"] = "phrase"

    def read(self, prompt: str) -> dict[str, int]:
        """How many of what should be in the picture of a prompt."""
        return counted(prompt, nouns=self.queries == "noun")

    def names(self, prompt: str) -> tuple[str, ...]:
        """What the detector is asked for."""
        return tuple(self.read(prompt))

    def load(self, device: torch.device) -> Scorer:
        """Read the detector. Raises MetricError if weights are missing or truncated."""
        detect = self.detector.load(device)

        def score(images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
            wanted = [self.read(prompt) for prompt in prompts]
            boxes = detect(images, [self.names(prompt) for prompt in prompts])
            return np.array([image_score(*pair) for pair in zip(boxes, wanted, strict=True)])

        return score


def counted(prompt: str, *, nouns: bool = False) -> dict[str, int]:
    """What a prompt counts: {noun phrase in the singular: number}, in its order.

    A number is a, an, one, ..., eight; two phrases that are renamed to the same one are added up.
    Articles after the verb are left out ("two trucks unloaded a cargo"): there the benchmark
    counts with numbers only. "a picture of", "a group of" and the like count nothing.
    """
    counts: dict[str, int] = {}
    tokens = words(prompt)
    after_verb = False
    for i, word in enumerate(tokens):
        if word not in NUMBERS or (after_verb and word in ("a", "an")):
            continue
        phrase = _one(tokens[i + 1 :]) if NUMBERS[word] == 1 else _many(tokens[i + 1 :])
        after = (*tokens[i + 1 + len(phrase) :], "")[0]
        if not phrase or (phrase[-1] in _FRAMES and after == "of"):
            continue
        after_verb = after_verb or is_verb(after)
        name = renamed(singular(" ".join(phrase[-1:] if nouns else phrase)), ALIASES)
        counts[name] = counts.get(name, 0) + NUMBERS[word]
    return counts


def is_duplicate(a: Box, b: Box) -> bool:
    """Whether two boxes of a label are one thing: IoU, or the share covered of one, above 0.9.

    Boxes are taken to include their last pixel.
    """
    return iou(a, b, pixel=1.0) > _SAME or containment(a, b, pixel=1.0) > _SAME


def image_score(boxes: Boxes, wanted: Mapping[str, int]) -> float:
    """Mean over what is wanted: 0.5 for its being there, 0.5 more for exactly that many.

    A label counts if it is the name or, where none is, contains it. Duplicates count once.
    """
    labels = boxes.without(is_duplicate).labels
    total = 0.0
    for name, number in wanted.items():
        here = labels.count(name) or sum(name in label for label in labels)
        total += 0.5 * (here > 0) + 0.5 * (here == number)
    return total / len(wanted) if wanted else 0.0


def _many(following: Sequence[str]) -> list[str]:
    """Words up to the last of the first plurals in a row, or up to what ends the phrase."""
    phrase: list[str] = []
    for word in following:
        if ends_phrase(word) or (phrase and is_plural(phrase[-1]) and not is_plural(word)):
            break
        phrase.append(word)
    return phrase


def _one(following: Sequence[str]) -> list[str]:
    """Words up to a verb or what ends the phrase; a last word in -ed or -ing is the verb."""
    phrase: list[str] = []
    for word in following:
        if ends_phrase(word) or (phrase and singular(word) != word):
            break
        phrase.append(word)
    while len(phrase) > 1 and is_verb(phrase[-1]):
        phrase.pop()
    return phrase
