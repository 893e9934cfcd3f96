"""Jobs that wait for a worker, those among them that have lost one.

A machine that goes away costs time and no job: what its worker had is given to another. A job that
takes a second worker with it is at fault itself, and is reported.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mitune.jobs.base import Failed

logger = logging.getLogger(__name__)

J = TypeVar("J")


@dataclass
class Turn(Generic[J]):
    """One job's turn with a worker."""

    job: J
    workers_left: int
    _seen: int = 0
    _handed: int = 0

    def is_new(self) -> bool:
        """Whether the value that has just come was not handed over in a turn before.

        A job makes the same values in the same order each time.
        """
        self._seen += 1
        return self._seen > self._handed

    def lost(self) -> None:
        """Its worker is gone."""
        self.workers_left -= 1
        self._seen, self._handed = 0, max(self._seen, self._handed)


class Queue(Generic[J]):
    """Of `jobs`, in their order; each may cost `workers` workers before it fails."""

    def __init__(self, jobs: Iterable[J], workers: int = 2) -> None:
        self._waiting = deque(Turn(job, workers) for job in jobs)

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self) -> Turn[J] | None:
        """The next one; None if none waits."""
        return self._waiting.popleft() if self._waiting else None

    def lost(self, turn: Turn[J], how: str) -> Failed[J] | None:
        """A turn whose worker is gone: the job is the next one to be taken, or has failed."""
        turn.lost()
        if turn.workers_left > 0:
            logger.warning("%s: its worker %s; another one takes it", turn.job, how)
            self._waiting.appendleft(turn)
            return None
        return Failed(
            turn.job,
            f"{turn.job}: its worker {how}; if memory ran out, lower resources.workers or "
            "resources.batch_size",
        )
