"""Read a picture and say which claims of a prompt it makes true.

The pixels are read by the detector; the prompt by `caption.read`; what relates them is plain
geometry. As with BLIP-VQA, the score of a prompt is the product of the answers to its claims.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mitune.miniature.caption import phrase_text, read
from mitune.miniature.description import Description, NounPhrase
from mitune.miniature.detector import Detection, Detector, detect
from mitune.miniature.geometry import gap, signed_distance
from mitune.miniature.vocabulary import COLOURS, SHAPES, TEXTURES

_SIZE_SPLIT, _SIZE_SLOPE = 10.9, 0.25  # pixels
_CONTACT = 2.5  # widest gap that still reads as touching, pixels
_NEAR_COLOUR = 100.0  # distance in RGB
_OVERLAP = 3  # fewest shared pixels that read as occlusion
_NOBODY = Detection(0.0, -1e3, -1e3, 1.0, (0.0,) * 5, (0.0,) * 8, (0.0,) * 4)


@dataclass(frozen=True)
class Claim:
    """One atomic claim and how far it holds, in [0, 1]."""

    text: str
    verdict: float


@dataclass(frozen=True)
class Judgement:
    """All claims of a prompt about one picture."""

    claims: tuple[Claim, ...]

    @property
    def score(self) -> float:
        """Product of the verdicts."""
        return math.prod(claim.verdict for claim in self.claims)


class Judge:
    """The miniature world's own measure of alignment."""

    def __init__(self, detector: Detector, batch_size: int = 128) -> None:
        self._detector = detector
        self._batch_size = batch_size

    @classmethod
    def load(cls, path: Path) -> Judge:
        """Judge whose detector weights are at `path`."""
        return cls(Detector.load(path))

    def __call__(self, images: NDArray[np.uint8], prompts: Sequence[str]) -> list[Judgement]:
        """Judge picture i against prompt i. `images` (N, 64, 64, 3) uint8 RGB.

        Raises
        ------
        ValueError
            If a prompt has a word that is not of this world, or counts differ.
        """
        if len(images) != len(prompts):
            raise ValueError(f"{len(images)} images for {len(prompts)} prompts")
        meanings = {prompt: read(prompt) for prompt in prompts}
        judgements = []
        for start in range(0, len(images), self._batch_size):
            batch = images[start : start + self._batch_size]
            pixels = torch.from_numpy(np.ascontiguousarray(batch)).permute(0, 3, 1, 2)
            for offset, things in enumerate(detect(self._detector, pixels.float() / 127.5 - 1)):
                description = meanings[prompts[start + offset]]
                judgements.append(judge_things(things, batch[offset], description))
        return judgements


def judge_things(
    things: Sequence[Detection], image: NDArray[np.uint8], description: Description
) -> Judgement:
    """Verdicts on the claims of `description`, given what was found in `image`."""
    if any(phrase.count is not None for phrase in description.phrases):
        return Judgement(tuple(_count(things, phrase) for phrase in description.phrases))
    pool = [*things, *[_NOBODY] * len(description.phrases)]
    best: tuple[Claim, ...] = ()
    best_rank = (-1.0, -1.0)
    for chosen in itertools.permutations(pool, len(description.phrases)):
        matches = [match(t, p) for t, p in zip(chosen, description.phrases, strict=True)]
        if math.prod(matches) < best_rank[0] and math.prod(matches) < 1e-3:
            continue
        claims = [
            Claim(phrase_text(p), m) for p, m in zip(description.phrases, matches, strict=True)
        ]
        if description.relation:
            holds = _RELATION_TESTS[description.relation](chosen[0], chosen[1], image)
            claims.append(Claim(f"first {description.relation} second", float(holds)))
        # Equal products (nothing fully right) are told apart by how much is right.
        rank = (math.prod(c.verdict for c in claims), sum(c.verdict for c in claims))
        if rank > best_rank:
            best, best_rank = tuple(claims), rank
    return Judgement(best)


def match(thing: Detection, phrase: NounPhrase) -> float:
    """Probability that a thing is there and has every claimed attribute."""
    value = float(thing.confidence > 0)  # what was found is there: the detector has a threshold
    if phrase.shape:
        value *= thing.shapes[SHAPES.index(phrase.shape)]
    if phrase.colour:
        value *= thing.colours[tuple(COLOURS).index(phrase.colour)]
    if phrase.texture:
        value *= thing.textures[TEXTURES.index(phrase.texture)]
    if phrase.size:
        big = 1 / (1 + math.exp(-(thing.radius - _SIZE_SPLIT) / _SIZE_SLOPE))
        value *= big if phrase.size == "big" else 1 - big
    return value


def _count(things: Sequence[Detection], phrase: NounPhrase) -> Claim:
    """Exactly `count` things match: the n-th is there, the (n+1)-th is not."""
    count = phrase.count or 1
    kind = replace(phrase, count=None)
    matches = sorted((match(t, kind) for t in things), reverse=True) + [0.0] * (count + 1)
    return Claim(phrase_text(phrase), math.prod(matches[:count]) * (1 - matches[count]))


def _left(a: Detection, b: Detection, image: NDArray[np.uint8]) -> bool:
    return b.x - a.x > abs(b.y - a.y)


def _above(a: Detection, b: Detection, image: NDArray[np.uint8]) -> bool:
    return b.y - a.y > abs(b.x - a.x)


def _touching(a: Detection, b: Detection, image: NDArray[np.uint8]) -> bool:
    return -6.0 < gap(a, b) < _CONTACT


def _inside(a: Detection, b: Detection, image: NDArray[np.uint8]) -> bool:
    return a.radius < b.radius and math.hypot(a.x - b.x, a.y - b.y) < b.radius - 0.6 * a.radius


def _in_front(a: Detection, b: Detection, image: NDArray[np.uint8]) -> bool:
    """Where both outlines overlap, pixels of either colour mostly have that of `a`."""
    size = len(image)
    shared = (signed_distance(a, size) < 0) & (signed_distance(b, size) < 0)
    if shared.sum() < _OVERLAP:
        return False
    pixels = image[shared].astype(np.float32)
    to_a = np.linalg.norm(pixels - np.array(COLOURS[a.colour], np.float32), axis=1)
    to_b = np.linalg.norm(pixels - np.array(COLOURS[b.colour], np.float32), axis=1)
    # Pixels of a pattern's second colour say nothing.
    told = np.minimum(to_a, to_b) < _NEAR_COLOUR
    return bool(told.any() and (to_a < to_b)[told].mean() > 0.5)


_RELATION_TESTS = {
    "left": _left,
    "right": lambda a, b, image: _left(b, a, image),
    "above": _above,
    "below": lambda a, b, image: _above(b, a, image),
    "front": _in_front,
    "behind": lambda a, b, image: _in_front(b, a, image),
    "touching": _touching,
    "inside": _inside,
}
