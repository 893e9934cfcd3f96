"""Prompts in a table: PartiPrompts' TSV, COCO captions, any CSV, and plain text."""

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
    chosen,
    distinct,
)
from mitune.prompt_sources.split_files import read_strictly
from mitune.texts import read_table


class PartiPrompts(BaseModel):
    """`PartiPrompts.tsv` (Yu et al. 2022), 1 632 prompts in 12 categories; quotes are text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["parti_prompts"] = "parti_prompts"

    def read(self, path: Path, categories: Sequence[str]) -> Mapping[Split, Lines]:
        """One pool."""
        return _pool(path, categories, "Prompt", "Category", "\t", False)


class Captions(BaseModel):
    """A CSV file with a header, such as a list of COCO captions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["csv"] = "csv"
    column: str = "caption"
    category_column: str | None = None

    def read(self, path: Path, categories: Sequence[str]) -> Mapping[Split, Lines]:
        """One pool; without a column of categories the file's name is the only one."""
        return _pool(path, categories, self.column, self.category_column, ",", True)


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
    quotes: bool,
) -> Mapping[Split, Lines]:
    columns, rows = read_table(path, separator, quotes)
    for name in filter(None, (column, category_column)):
        if name not in columns:
            raise PromptError(f"{path}: no column {name!r} but {', '.join(columns)}")
    lines = []
    for row in rows:
        text = row.cells[column].strip()
        category = row.cells[category_column].strip() if category_column else path.stem
        if text and not category:
            raise PromptError(f"{path}:{row.line}: no {category_column}; write one")
        if text:
            lines.append(PromptLine(text, category, path.name, row.line))
    return {"train": distinct(chosen(lines, categories, path))}
