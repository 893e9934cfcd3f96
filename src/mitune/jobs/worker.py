"""Where jobs are worked on: a device, and what stays open there from one job to the next."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import torch

T = TypeVar("T")


class Worker:
    """One of those that work; a process has one at most at a time."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._open: dict[str, tuple[Hashable, AbstractContextManager[Any], Any]] = {}

    def keep(self, slot: str, key: Hashable, opener: Callable[[], AbstractContextManager[T]]) -> T:
        """What `opener` opens, from the job before if that had the same `key` in this `slot`.

        What was in the slot under another key is closed first: one thing of a kind at a time.
        """
        if slot in self._open and self._open[slot][0] != key:
            self._close(slot)
        if slot not in self._open:
            manager = opener()
            self._open[slot] = (key, manager, manager.__enter__())
        found: T = self._open[slot][2]
        return found

    def close(self) -> None:
        """Give back everything that is kept."""
        for slot in list(self._open):
            self._close(slot)

    def _close(self, slot: str) -> None:
        _, manager, value = self._open.pop(slot)
        del value  # before its memory is given back
        manager.__exit__(None, None, None)
