"""What a source of examples is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, TypeAlias

from mitune.errors import UserError

Reads: TypeAlias = Literal["pairs", "labels"]


class ExampleError(UserError):
    """Bad examples; the message names the file, the row and the fix."""


@dataclass(frozen=True)
class Picture:
    """A picture as its file has it (PNG, JPEG, ...), and where that is."""

    content: bytes
    where: str


@dataclass(frozen=True)
class Example:
    """What was said about pictures of one prompt.

    `pictures` by role: `winner` and `loser`, or one `image`. `label`: 1 and 0 for a picture that is
    liked or not; for a pair 1, or 0.5 if neither was preferred.
    """

    prompt: str
    pictures: Mapping[str, Picture]
    where: str
    label: float = 1.0
    category: str = ""


class ExampleSource(Protocol):
    """Files of examples, read one by one: the whole need not fit into memory.

    `reads`: whether its examples are pairs, or pictures with labels.
    """

    reads: ClassVar[Reads]

    def read(self) -> Iterator[Example]:
        """All of them, in the order of the files. Raises ExampleError."""
        ...
