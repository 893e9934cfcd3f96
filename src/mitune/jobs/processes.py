"""Jobs on several processes, each with a device of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar, cast

from mitune.jobs.base import Failed, Result, Work
from mitune.jobs.message import close, message
from mitune.jobs.pool import Pool
from mitune.jobs.queue import Queue, Turn

J = TypeVar("J")
R = TypeVar("R")


@dataclass(frozen=True)
class Processes:
    """The workers of `pool`, which stay when the jobs are done, with what they keep open.

    On accelerators they give it back: other stages need the memory. A job fails when it has cost
    `workers_per_job` of them.
    """

    pool: Pool
    workers_per_job: int = 2

    def results(self, jobs: Sequence[J], work: Work[J, R]) -> Iterator[Result[J, R] | Failed[J]]:
        """As `Executor`. Whoever stops listening stops the workers that are still busy."""
        queue = Queue(jobs, self.workers_per_job)
        busy: dict[Connection, tuple[int, Turn[J]]] = {}
        used: set[int] = set()
        members = self.pool.members()
        try:
            for place in range(min(len(members), len(queue))):
                self._give(place, queue, busy, work)
                used.add(place)
            while busy:
                for line in cast("list[Connection]", wait(list(busy))):
                    place, turn = busy[line]
                    try:
                        kind, value = line.recv()
                    except (EOFError, OSError):
                        kind, value = "done", queue.lost(turn, _death(self.pool.discard(place)))
                    if kind == "made":
                        if turn.is_new():
                            yield Result(turn.job, value)
                        continue
                    del busy[line]
                    self._give(place, queue, busy, work)
                    if value is not None:
                        yield replace(value, job=turn.job)
        finally:
            for place, _ in busy.values():
                self.pool.discard(place)
            for place in used:
                self._close_on_accelerator(place)

    def _give(
        self,
        place: int,
        queue: Queue[J],
        busy: dict[Connection, tuple[int, Turn[J]]],
        work: Work[J, R],
    ) -> None:
        turn = queue.take()
        if turn is None:
            return
        line = self.pool.member(place).line
        line.send_bytes(message(work, turn.job))
        busy[line] = (place, turn)

    def _close_on_accelerator(self, place: int) -> None:
        if self.pool.devices[place] != "cpu" and self.pool.has(place):
            line: Any = self.pool.member(place).line
            line.send_bytes(message(close, None))
            line.recv()


def _death(code: int | None) -> str:
    return f"was killed by signal {-code}" if code and code < 0 else f"ended with code {code}"
