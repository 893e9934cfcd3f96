"""What a source of prompts is, and what several of them need."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from mitune.errors import UserError

Split: TypeAlias = Literal["train", "tuning", "test"]


class PromptError(UserError):
    """Bad prompts; the message names the file, the line and the fix."""


@dataclass(frozen=True)
class PromptLine:
    """One prompt and where it stands."""

    text: str
    category: str
    file: str
    line: int


Lines: TypeAlias = Sequence[PromptLine]


class PromptSource(Protocol):
    """A benchmark or a file of prompts; it reads a file or a folder that it knows the layout of."""

    def read(self, path: Path, categories: Sequence[str]) -> Mapping[Split, Lines]:
        """Prompts by split, for the splits that the source itself has; `train` is always there.

        `categories` are those asked for, all of them if empty. Raises PromptError.
        """
        ...


def read_text(path: Path) -> str:
    """A UTF-8 file, with or without byte order mark.

    Raises
    ------
    PromptError
        If it is missing, empty or not UTF-8.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise PromptError(
            f"{path}: not found; create it, or correct prompts.categories or globals.yml"
        ) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise PromptError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None
    if not text.strip():
        raise PromptError(f"{path}: no prompts; put one on each line")
    return text


def first_columns(path: Path, category: str) -> Iterator[PromptLine]:
    """Text before the first tab of each line, blank ones included. Raises as `read_text`."""
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        yield PromptLine(line.split("\t")[0].strip(), category, path.name, number)


def read_json(path: Path) -> object:
    """A JSON file. Raises PromptError as `read_text` does, and for what is not JSON."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise PromptError(f"{path}:{error.lineno}: not JSON ({error.msg}); restore it") from None


def distinct(lines: Iterable[PromptLine]) -> list[PromptLine]:
    """The first of each text: published benchmarks repeat some of theirs."""
    first: dict[str, PromptLine] = {}
    for line in lines:
        first.setdefault(line.text, line)
    return list(first.values())


def chosen(lines: Iterable[PromptLine], categories: Sequence[str], path: Path) -> list[PromptLine]:
    """Lines of the categories asked for.

    Raises
    ------
    PromptError
        Naming a category that the file has not.
    """
    every = list(lines)
    known = dict.fromkeys(line.category for line in every)
    for category in categories:
        if category not in known:
            raise PromptError(
                f"{path}: no category {category!r}; prompts.categories can be {', '.join(known)}"
            )
    return [line for line in every if not categories or line.category in categories]
