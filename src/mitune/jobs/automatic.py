"""Get help where there is more than one thing to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mitune.jobs.base import Failed, Result, Work
from mitune.jobs.processes import Processes
from mitune.jobs.serial import Serial

J = TypeVar("J")
R = TypeVar("R")


@dataclass(frozen=True)
class Automatic:
    """`processes` for several jobs, or once they are there; this process for a single one.

    They cost no more to start than this process needs for its own imports, which it is spared. At
    equal threads the bits are the same whoever works.
    """

    serial: Serial
    processes: Processes

    def results(self, jobs: Sequence[J], work: Work[J, R]) -> Iterator[Result[J, R] | Failed[J]]:
        """As `Executor`."""
        alone = len(jobs) == 1 and not self.processes.pool.ready
        yield from (self.serial if alone else self.processes).results(jobs, work)
