"""One file per category and split: `{category}_{train|tuning|test}.txt`. The miniature's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from mitune.prompt_sources.base import Lines, PromptError, PromptLine, Split, read_text


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
    PromptError
        If the file is missing, empty or not UTF-8, or holds a blank or a repeated line.
    """
    seen: dict[str, int] = {}
    found = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        prompt = line.split("\t")[0].strip()
        if not prompt:
            raise PromptError(f"{path}:{number}: blank prompt; remove the line")
        if prompt in seen:
            raise PromptError(
                f"{path}:{number}: duplicate of line {seen[prompt]} ({prompt!r}); remove one"
            )
        seen[prompt] = number
        found.append(PromptLine(prompt, category, path.name, number))
    return found
