"""One file per category and split: `{category}_{train|tuning|test}.txt`. The miniature's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from mitune.prompt_sources.base import Lines, PromptError, PromptLine, Split, first_columns
from mitune.texts import alike


class SplitFiles(BaseModel):
    """A prompt a line, text before the first tab; blank and repeated lines are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["split_files"] = "split_files"

    def read(self, path: Path, categories: Sequence[str]) -> Mapping[Split, Lines]:
        """All three splits of every category."""
        if not categories:
            raise PromptError("prompts.categories: name the categories, one file each")
        return {
            split: [
                line
                for category in categories
                for line in read_strictly(path / f"{category}_{split}.txt", category)
            ]
            for split in get_args(Split)
        }


def read_strictly(path: Path, category: str) -> list[PromptLine]:
    """All prompts of a file; CRLF and a missing last newline are fine.

    Raises
    ------
    TextError
        If the file is missing, empty or not UTF-8.
    PromptError
        If it holds a blank line or one that a tokenizer does not tell from another.
    """
    seen: dict[str, int] = {}
    lines = list(first_columns(path, category))
    for line in lines:
        where = f"{path}:{line.line}"
        if not line.text:
            raise PromptError(f"{where}: blank prompt; remove the line")
        text = alike(line.text)
        if text in seen:
            raise PromptError(
                f"{where}: duplicate of line {seen[text]} ({line.text!r}); remove one"
            )
        seen[text] = line.line
    return lines
