"""What an objective trains on, taken from what files say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from mitune.example_sets.base import ExampleError

_KEPT = ("prompt_id", "category", "prompt", "shard", "image_index")
_TIE = 0.5


def trained_on(examples: pd.DataFrame, kinds: frozenset[str]) -> pd.DataFrame:
    """The fine-tuning set of an `index` for an objective that eats rows of one of `kinds`.

    `Pair` and `Negatives` (a winner, and the loser as the wrong picture): one example per pair.
    `Single`: winners and what is liked. `Labelled`: of pairs, every picture once per prompt, liked
    if it has won at least once and disliked if it never has, as in the released code of
    Diffusion-KTO. A tie makes no pair; as single pictures both count as liked.

    Raises
    ------
    ExampleError
        If nothing is left, labels are all of one class, or pictures with labels are to be pairs.
    """
    kind = next(kind for kind in _TAKING if kind in kinds)
    taken = _TAKING[kind](examples)
    if taken.empty:
        raise ExampleError(f"the set has nothing for rows {kind}: all are ties, or not liked")
    return taken.reset_index(drop=True)


def _pairs(examples: pd.DataFrame, roles: Mapping[str, str]) -> pd.DataFrame:
    if "winner" not in set(examples["role"]):
        raise ExampleError(
            "the set has pictures with labels, not pairs; choose an objective on labels "
            "(diffusion_kto) or sft, or give pairs"
        )
    pairs = examples[examples["label"] != _TIE]
    return pairs[[*_KEPT, "example"]].assign(role=pairs["role"].map(roles))


def _liked(examples: pd.DataFrame) -> pd.DataFrame:
    liked = examples[examples["label"] >= _TIE]
    return liked[list(_KEPT)].assign(example=np.arange(len(liked)), role="image")


def _labelled(examples: pd.DataFrame) -> pd.DataFrame:
    likes = examples.assign(label=(examples["label"] >= _TIE).astype(int))
    once = likes.groupby([*_KEPT], sort=False, as_index=False)["label"].max()
    if once["label"].nunique() == 1:
        word = "liked" if once["label"].iloc[0] else "disliked"
        raise ExampleError(
            f"the set's pictures are all {word}; add some of the other kind, or choose sft"
        )
    return once.assign(example=np.arange(len(once)), role="image")


_TAKING: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = MappingProxyType(
    {
        "Pair": lambda table: _pairs(table, {"winner": "winner", "loser": "loser"}),
        "Negatives": lambda table: _pairs(table, {"winner": "positive", "loser": "negative"}),
        "Labelled": _labelled,
        "Single": _liked,
    }
)
