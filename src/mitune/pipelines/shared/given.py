"""What nodes were given, told apart by its type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

T = TypeVar("T")


def first_of(kind: type[T], given: Iterable[Any]) -> T:
    """The first of a type; there is one."""
    return next(each for each in given if isinstance(each, kind))
