"""A good picture with its prompt, and a wrong picture or a wrong prompt: the rows of HN-ITM."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

import numpy as np
import pandas as pd
from pydantic import Field, PositiveFloat, PositiveInt

from mitune.composition.base import VALUE, RowKind, Strategy, lines, prompt_generator, ranked
from mitune.composition.score import Score, names_in
from mitune.errors import UserError
from mitune.seeds import Seed

Wrong: TypeAlias = Literal["worst", "other_picture", "other_prompt", "similar_prompt"]
Shares: TypeAlias = Annotated[dict[Wrong, PositiveFloat], Field(min_length=1)]


class Negatives(Strategy):
    """The k best of each prompt, each beside something wrong.

    `negative` is one kind, or kinds with the shares in which they are drawn, by `seed` and prompt:
    `worst`, the i-th worst picture of the prompt for its i-th best (left out if their scores are
    equal); `other_picture`, the best of another prompt; `other_prompt`, the same picture with
    another prompt; `similar_prompt`, with the prompt that has most words in common. Other prompts
    are of the same category if it has some.

    Krojer et al. (2023), HardNeg-DiffusionITM, whose shares are other_picture 0.5, similar_prompt
    0.25 and other_prompt 0.25, with neighbours and hard captions of NegCLIP where these are from
    the run's own prompts; it draws one kind per step, not per example.

    Raises UserError if there is no example or no other prompt, and as `TopK`.
    """

    kind: Literal["negatives"] = "negatives"
    score: Score
    k: PositiveInt = 1
    negative: Wrong | Shares = "worst"
    seed: Seed = 0

    rows: ClassVar[RowKind] = "Negatives"

    @property
    def scores(self) -> tuple[str, ...]:
        """As `Strategy.scores`."""
        return names_in(self.score)

    @property
    def shares(self) -> dict[Wrong, float]:
        """How often each kind is drawn, of their sum."""
        return self.negative if isinstance(self.negative, dict) else {self.negative: 1.0}

    @property
    def least(self) -> int:
        """2k if the worst are asked for, else k."""
        return 2 * self.k if "worst" in self.shares else self.k

    def __call__(self, candidates: pd.DataFrame) -> pd.DataFrame:
        """Two lines per example, `role` positive and negative."""
        ordered = ranked(candidates, self.score)
        firsts = ordered[ordered["rank"] == 1]
        score, text = ordered[VALUE].to_numpy("float64"), [str(p) for p in ordered["prompt"]]
        places: list[int] = []
        prompts: list[str] = []
        for prompt_id, rows in ordered.groupby("prompt_id", sort=False):
            generator = prompt_generator(self.seed, prompt_id)
            own = rows.index.to_numpy()
            for positive, mirrored in zip(own[: self.k], own[::-1], strict=False):
                wrong = self._drawn(generator)
                if wrong == "worst":
                    if score[positive] > score[mirrored]:
                        places += [positive, mirrored]
                        prompts += [text[positive], text[positive]]
                    continue
                other = _other(firsts, ordered.loc[positive], wrong, generator)
                of_picture = wrong == "other_picture"
                places += [positive, other if of_picture else positive]
                prompts += [text[positive], text[positive if of_picture else other]]
        if not places:
            raise UserError(
                f"score: the best and the worst of no prompt differ in {' and '.join(self.scores)};"
                " choose another score or another kind of negative"
            )
        roles = ["positive", "negative"] * (len(places) // 2)
        return lines(ordered, places, 2).assign(role=roles, prompt=prompts)

    def _drawn(self, generator: np.random.Generator) -> Wrong:
        kinds, shares = list(self.shares), np.array(list(self.shares.values()))
        return kinds[int(generator.choice(len(kinds), p=shares / shares.sum()))]


def _other(
    firsts: pd.DataFrame, own: pd.Series, wrong: Wrong, generator: np.random.Generator
) -> int:
    """The place of the best picture of another prompt."""
    others = firsts[firsts["prompt"] != own["prompt"]]
    if others.empty:
        raise UserError(f"negative: {wrong} needs another prompt, and there is only one")
    near = others[others["category"] == own["category"]]
    others = others if near.empty else near
    if wrong == "similar_prompt":
        words = set(own["prompt"].lower().split())
        common = others["prompt"].map(lambda text: _similarity(words, text))
        return int(common.idxmax())
    return int(generator.choice(others.index.to_numpy()))


def _similarity(words: set[str], text: str) -> float:
    """Jaccard's: words in common, of all."""
    others = set(text.lower().split())
    return len(words & others) / len(words | others)
