"""T2I-CompBench and T2I-CompBench++ (Huang et al. 2023, 2025): `examples/dataset/` as published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from mitune.prompt_sources.base import (
    Lines,
    PromptError,
    PromptLine,
    Split,
    distinct,
    first_columns,
)
from mitune.texts import alike


class T2ICompBench(BaseModel):
    """`{category}_train.txt` and `{category}_val.txt`; `val` is the benchmark's test set.

    Categories are the files' own names: color, shape, texture, spatial, non_spatial, complex,
    3d_spatial, numeracy. The files have CRLF endings, repeated lines (21 in color_train), and
    prompts of `val` that are also in `train` (4 of shape, 2 of spatial): repetitions count once,
    and a prompt of the test set is never trained on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["t2i_compbench"] = "t2i_compbench"

    def read(self, path: Path, categories: Sequence[str]) -> Mapping[Split, Lines]:
        """Train and test; tuning prompts are cut from train."""
        if not categories:
            raise PromptError("prompts.categories: name the categories, e.g. color, spatial")
        tests = distinct(_lines(path, categories, "val"))
        held_out = {_plain(line.text) for line in tests}
        every = distinct(_lines(path, categories, "train"))
        train = [line for line in every if _plain(line.text) not in held_out]
        return {"train": train, "test": tests}


def _plain(text: str) -> str:
    """A prompt up to capitals, spaces and the last dot, in which train and test may differ."""
    return alike(text.rstrip("."))


def _lines(folder: Path, categories: Sequence[str], split: str) -> list[PromptLine]:
    return [
        line
        for category in categories
        for line in first_columns(folder / f"{category}_{split}.txt", category)
        if line.text
    ]
