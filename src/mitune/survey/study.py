"""What respondents are shown: prompts, pictures, and which questions a survey is made of."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from PIL import Image
from pydantic import BaseModel, ConfigDict, PositiveInt

from mitune.errors import UserError
from mitune.ranking import order
from mitune.survey.row import Kind, Row

IDENTITY = ("prompt_id", "category", "prompt", "image_index", "option", "picture", "png")
"""Columns of a table of pictures; all others are scores of the picture."""

MUTUAL_INFORMATION = "MI"
_MOST_PICTURES = 26
_TINY = 128  # pixels


class Questions(BaseModel):
    """How many questions a survey has. MI-TUNE: 10 of all (Table 6), 2 per category (Table 7)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: PositiveInt
    per: Literal["survey", "category"]


@dataclass(frozen=True)
class Choice:
    """A prompt and its pictures, each with the options that it stands for."""

    category: str
    prompt_id: str
    prompt: str
    options: Mapping[str, tuple[str, ...]]


ByPrompt: TypeAlias = Mapping[str, Sequence[Choice]]


@dataclass(frozen=True, eq=False)
class Study:
    """A survey that can be answered.

    `table` has a row per prompt, option and image, with the columns `IDENTITY` and scores. Where
    two options have the same picture it is shown once and stands for both.

    Raises
    ------
    UserError
        If there is no prompt with two different pictures.
    """

    kind: Kind
    campaign: str
    questions: Questions
    table: pd.DataFrame
    groups: tuple[str, ...] = ()
    consent: str = ""

    def __post_init__(self) -> None:
        if not self.choices:
            raise UserError(
                f"survey {self.kind} of {self.campaign}: no prompt has two different pictures, so "
                "there is nothing to choose from; train longer or draw more candidates"
            )

    @cached_property
    def choices(self) -> Mapping[str, ByPrompt]:
        """By category and prompt; of `methods` one for each image that all options have."""
        # Options of `methods` meet at the same seed; those of `metrics` are different images.
        apart = ["prompt_id"] + (["image_index"] if self.kind == "methods" else [])
        by_category: dict[str, dict[str, list[Choice]]] = {}
        for _, rows in self.table.groupby(apart, sort=False):
            options = {
                str(picture): tuple(part["option"])
                for picture, part in rows.groupby("picture", sort=False)
            }
            if 1 < len(options) <= _MOST_PICTURES:
                first = rows.iloc[0]
                choice = Choice(first["category"], first["prompt_id"], first["prompt"], options)
                prompts = by_category.setdefault(choice.category, {})
                prompts.setdefault(choice.prompt_id, []).append(choice)
        return by_category

    @cached_property
    def pools(self) -> Sequence[ByPrompt]:
        """Prompts that questions are drawn from, `questions.count` of each pool or all it has."""
        pools = list(self.choices.values())
        if self.questions.per == "category":
            return pools
        return [{name: prompt for pool in pools for name, prompt in pool.items()}]

    @cached_property
    def pictures(self) -> Mapping[str, bytes]:
        """PNG files by id."""
        return dict(zip(self.table["picture"], self.table["png"], strict=True))

    @cached_property
    def tiny(self) -> bool:
        """Whether pictures are so small that they are shown larger, pixel by pixel."""
        with Image.open(io.BytesIO(next(iter(self.pictures.values())))) as picture:
            return picture.width <= _TINY

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Columns: prompt_id, picture, score, value; one row for each number known."""
        names = [name for name in self.table if name not in IDENTITY]
        melted = self.table.melt(["prompt_id", "picture"], names, "score", "value")
        return melted.dropna().drop_duplicates(["prompt_id", "picture", "score"])

    def draw(self, survey: str, group: str, rng: np.random.Generator) -> list[Row]:
        """The rows of a new survey, unanswered: prompts without repetition, all in random order."""
        drawn = list(self._drawn(rng))
        return [
            row
            for number, place in enumerate(rng.permutation(len(drawn)), start=1)
            for row in self._question(survey, group, number, drawn[place], rng)
        ]

    def _drawn(self, rng: np.random.Generator) -> Iterator[Choice]:
        for pool in self.pools:
            count = min(self.questions.count, len(pool))
            for prompt in rng.choice(list(pool), count, replace=False):
                several = pool[str(prompt)]
                yield several[int(rng.integers(len(several)))]

    def _question(
        self, survey: str, group: str, number: int, choice: Choice, rng: np.random.Generator
    ) -> Iterator[Row]:
        pictures = list(choice.options)
        for position, place in enumerate(rng.permutation(len(pictures)), start=1):
            for option in choice.options[pictures[place]]:
                yield Row(
                    survey=survey,
                    study=self.kind,
                    campaign=self.campaign,
                    group=group,
                    question=number,
                    category=choice.category,
                    prompt_id=choice.prompt_id,
                    prompt=choice.prompt,
                    option=option,
                    position=position,
                    selected=None,
                    picture=pictures[place],
                    milliseconds=None,
                )


def picture_id(png: bytes) -> str:
    """A name that says nothing of where a picture comes from: 32 hexadecimal digits."""
    return hashlib.sha256(png).hexdigest()[:32]


def chosen_images(measurements: pd.DataFrame, choosers: Mapping[str, str]) -> pd.DataFrame:
    """The best candidate of each prompt by every chooser (MI-TUNE 3.1); ties by lower index.

    `choosers`: columns of `measurements` by option. Rows as in `measurements`, with `option`.

    Raises
    ------
    UserError
        If a column is missing or not a number everywhere.
    """
    best = [
        order(measurements, column).query("rank == 1").drop(columns="rank").assign(option=option)
        for option, column in choosers.items()
    ]
    return pd.concat(best, ignore_index=True)
