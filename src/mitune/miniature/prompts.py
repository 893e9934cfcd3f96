"""Prompts of the world, split so that no attribute combination is in two splits."""

from __future__ import annotations

import hashlib

import numpy as np

from mitune.miniature.caption import write
from mitune.miniature.description import Description, sample_description
from mitune.miniature.vocabulary import CATEGORIES, INVERSE

SPLITS = {"train": 300, "tuning": 100, "test": 200}
_SHARES = {"train": 0.6, "tuning": 0.8, "test": 1.0}  # cumulative
_ATTEMPTS = 30_000


def combination(description: Description) -> str:
    """Which attributes go together how, whatever the wording and the order of phrases."""
    phrases, relation = description.phrases, description.relation
    if relation is not None and relation > INVERSE.get(relation, relation):
        phrases, relation = phrases[::-1], INVERSE[relation]
    names = [str(phrase) for phrase in phrases]
    ordered = names if relation in INVERSE or relation == "inside" else sorted(names)
    return f"{relation}:{ordered}"


def split_of(description: Description) -> str:
    """The split that owns this combination."""
    lot = hashlib.sha256(combination(description).encode()).digest()[0] / 256
    return next(split for split, share in _SHARES.items() if lot < share)


def draw_prompts(category: str, split: str, seed: int = 0) -> list[str]:
    """Distinct prompts of a category and split; fewer than `SPLITS[split]` if it has no more."""
    rng = np.random.default_rng((seed, CATEGORIES.index(category), list(SPLITS).index(split)))
    prompts: dict[str, None] = {}
    for _ in range(_ATTEMPTS):
        description = sample_description(category, rng)
        if split_of(description) == split:
            prompts[write(description, rng)] = None
        if len(prompts) == SPLITS[split]:
            break
    return list(prompts)
