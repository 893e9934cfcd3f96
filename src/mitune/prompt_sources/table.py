"""Prompts in a table: PartiPrompts' TSV, COCO captions, any CSV, and plain text."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

from mitune.prompt_sources.base import (
    Lines,
    PromptError,
    PromptLine,
    Split,
    chosen,
    distinct,
    read_text,
)
from mitune.prompt_sources.split_files import read_strictly


class PartiPrompts(BaseModel):
    """`PartiPrompts.tsv` (Yu et al. 2022), 1 632 prompts in 12 categories; quotes are text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["parti_prompts"] = "parti_prompts"

    def read(self, path: Path, categories: Sequence[str]) -> Mapping[Split, Lines]:
        """One pool."""
        return _pool(path, categories, "Prompt", "Category", "\t", csv.QUOTE_NONE)


class Captions(BaseModel):
    """A CSV file with a header, such as a list of COCO captions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["csv"] = "csv"
    column: str = "caption"
    category_column: str | None = None

    def read(self, path: Path, categories: Sequence[str]) -> Mapping[Split, Lines]:
        """One pool; without a column of categories the file's name is the only one."""
        return _pool(path, categories, self.column, self.category_column, ",", csv.QUOTE_MINIMAL)


class PlainText(BaseModel):
    """A text file, a prompt a line; its name is the only category."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["text"] = "text"

    def read(self, path: Path, categories: Sequence[str]) -> Mapping[Split, Lines]:
        """One pool; blank and repeated lines are refused."""
        return {"train": chosen(read_strictly(path, path.stem), categories, path)}


def _pool(
    path: Path,
    categories: Sequence[str],
    column: str,
    category_column: str | None,
    separator: str,
    quoting: Literal[0, 3],
) -> Mapping[Split, Lines]:
    try:
        table = pd.read_csv(
            io.StringIO(read_text(path)), sep=separator, quoting=quoting, dtype=str
        ).fillna("")
    except pd.errors.ParserError as error:
        raise PromptError(f"{path}: {error}; restore the file") from None
    for name in filter(None, (column, category_column)):
        if name not in table:
            raise PromptError(f"{path}: no column {name!r} but {', '.join(map(str, table))}")
    groups = table[category_column] if category_column else [path.stem] * len(table)
    lines = [
        PromptLine(text.strip(), category, path.name, number)
        for number, (text, category) in enumerate(zip(table[column], groups, strict=True), start=2)
        if text.strip()
    ]
    return {"train": distinct(chosen(lines, categories, path))}
