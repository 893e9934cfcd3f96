"""What a source of prompts is, and what several of them need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from mitune.errors import UserError
from mitune.texts import alike, read_lines

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


def first_columns(path: Path, category: str) -> Iterator[PromptLine]:
    """Text before the first tab of each line, blank ones included. Raises as `read_lines`."""
    for number, line in read_lines(path):
        yield PromptLine(line.split("\t")[0].strip(), category, path.name, number)


def distinct(lines: Iterable[PromptLine]) -> list[PromptLine]:
    """The first of those that are `alike`: published benchmarks repeat some of theirs."""
    first: dict[str, PromptLine] = {}
    for line in lines:
        first.setdefault(alike(line.text), line)
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
