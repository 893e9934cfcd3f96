"""Start alone; get help where there is enough to do."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mitune.jobs.base import Failed, Result, Work
from mitune.jobs.processes import Processes
from mitune.jobs.serial import Serial

J = TypeVar("J")
R = TypeVar("R")
_START = 10.0  # seconds of one core: a worker's imports (torch, diffusers, transformers)


@dataclass(frozen=True)
class Automatic:
    """`serial` until the workers of `processes` are there; they are called when they pay.

    That is when the jobs that wait, each taken to be as long as the last one, would be done sooner
    by more than it costs to start. Of the first job as much is taken off: it may have imported what
    a worker imports. Meanwhile this process goes on. Workers that are there already get everything.
    At equal threads the bits are the same whoever works.
    """

    serial: Serial
    processes: Processes

    def results(self, jobs: Sequence[J], work: Work[J, R]) -> Iterator[Result[J, R] | Failed[J]]:
        """As `Executor`."""
        waiting = deque(jobs)
        if not self.processes.pool.ready:
            yield from self.serial.results(self._until_ready(waiting), work)
        if waiting:
            yield from self.processes.results(list(waiting), work)

    def _until_ready(self, waiting: deque[J]) -> Iterator[J]:
        pool = self.processes.pool
        share = 1 - 1 / len(pool.devices)
        imports = _START
        while waiting and not pool.ready:
            started = time.monotonic()
            yield waiting.popleft()
            last = time.monotonic() - started - imports
            imports = 0.0
            if last * len(waiting) * share > _START:
                pool.start()
