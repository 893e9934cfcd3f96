"""Jobs on several processes, each with a device of its own."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeVar, cast

from mitune.jobs.base import Failed, Result, Work
from mitune.jobs.pool import Pool, close

J = TypeVar("J")
R = TypeVar("R")


@dataclass(frozen=True)
class Processes:
    """The workers of `pool`, which stay when the jobs are done, with what they keep open.

    On accelerators they give it back: other stages need the memory.
    """

    pool: Pool

    def results(self, jobs: Sequence[J], work: Work[J, R]) -> Iterator[Result[J, R] | Failed[J]]:
        """As `Executor`. Whoever stops listening stops the workers that are still busy."""
        waiting = deque(jobs)
        busy: dict[Connection, tuple[int, J]] = {}
        used: set[int] = set()
        members = self.pool.members()
        try:
            for place in range(min(len(members), len(waiting))):
                self._give(place, waiting, busy, work)
                used.add(place)
            while busy:
                for line in cast("list[Connection]", wait(list(busy))):
                    place, job = busy[line]
                    try:
                        kind, value = line.recv()
                    except (EOFError, OSError):
                        del busy[line]
                        yield Failed(job, f"{job}: {_death(self.pool.discard(place))}")
                        self._give(place, waiting, busy, work)
                        continue
                    if kind == "made":
                        yield Result(job, value)
                        continue
                    del busy[line]
                    self._give(place, waiting, busy, work)
                    if value is not None:
                        yield replace(value, job=job)
        finally:
            for place, _ in busy.values():
                self.pool.discard(place)
            for place in used:
                self._close_on_accelerator(place)

    def _give(
        self,
        place: int,
        waiting: deque[J],
        busy: dict[Connection, tuple[int, J]],
        work: Work[J, R],
    ) -> None:
        if not waiting:
            return
        job = waiting.popleft()
        line = self.pool.member(place).line
        line.send_bytes(pickle.dumps((str(Path.cwd()), work, job)))
        busy[line] = (place, job)

    def _close_on_accelerator(self, place: int) -> None:
        if self.pool.devices[place] != "cpu" and self.pool.has(place):
            line: Any = self.pool.member(place).line
            line.send_bytes(pickle.dumps((str(Path.cwd()), close, None)))
            line.recv()


def _death(code: int | None) -> str:
    how = f"was killed by signal {-code}" if code and code < 0 else f"ended with code {code}"
    return f"its worker {how}; if memory ran out, lower resources.workers or resources.batch_size"
