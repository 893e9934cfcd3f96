"""What strategies share: what they say of themselves, and the order within each prompt."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from mitune.composition.score import Score, values
from mitune.errors import UserError
from mitune.ranking import order

RowKind: TypeAlias = Literal["Single", "Pair", "Labelled", "Negatives"]
VALUE = "_value"


class Strategy(BaseModel, ABC):
    """Settings of a way to choose, called with a table of candidates.

    Candidates have `prompt_id`, `category`, `prompt`, `image_index` and columns of scores. Of the
    set that it returns, `prompt_id` and `image_index` say which picture a line is, `rank` its place
    among its prompt's candidates, and `prompt` the text that it is trained with; `example`, `role`,
    `label` and `weight` are as `objectives.rows` read them. `rows`: the class there that does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: ClassVar[RowKind]

    @property
    def scores(self) -> tuple[str, ...]:
        """Columns that it orders by."""
        return ()

    @property
    @abstractmethod
    def least(self) -> int:
        """How many candidates of a prompt it cannot do without."""

    @abstractmethod
    def __call__(self, candidates: pd.DataFrame) -> pd.DataFrame:
        """The set. Raises UserError if it would be empty, or candidates are not as it needs."""


def ranked(candidates: pd.DataFrame, score: Score, descending: bool = True) -> pd.DataFrame:
    """Candidates by prompt, best first, with `rank` and `VALUE`, the score that orders them."""
    scored = candidates.assign(**{VALUE: values(candidates, score)})
    return order(scored, VALUE, descending)


def best(candidates: pd.DataFrame, score: Score, k: int, descending: bool) -> pd.DataFrame:
    """The first `k` of each prompt by `score`, with `rank`. Raises UserError for k > M."""
    ordered = ranked(candidates, score, descending).drop(columns=VALUE)
    sizes = candidates.groupby("prompt_id", sort=False).size()
    if sizes.min() < k:
        prompt = sizes.idxmin()
        raise UserError(f"k: {k} exceeds the {sizes.min()} candidates of prompt {prompt!r}")
    return ordered[ordered["rank"] <= k].reset_index(drop=True)


def lines(ordered: pd.DataFrame, places: Sequence[int], per_example: int) -> pd.DataFrame:
    """Lines of `ordered` at `places`, so many for each `example`."""
    chosen = ordered.iloc[list(places)].reset_index(drop=True).drop(columns=VALUE)
    return chosen.assign(example=np.arange(len(chosen)) // per_example)


def prompt_generator(seed: int, prompt_id: object) -> np.random.Generator:
    """A prompt's own random numbers, whatever other prompts there are."""
    key = f"{seed}\x1f{prompt_id}".encode()
    return np.random.default_rng(int.from_bytes(hashlib.sha256(key).digest()[:8], "big"))
