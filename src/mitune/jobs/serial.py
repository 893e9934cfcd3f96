"""One job after the other, in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch

from mitune.jobs.base import Failed, Result, Work, failure
from mitune.jobs.worker import Worker

J = TypeVar("J")
R = TypeVar("R")


@dataclass(frozen=True)
class Serial:
    """`threads` of torch on a CPU: as many as a worker of `Processes` has, for the same bits."""

    device: torch.device
    threads: int

    def results(self, jobs: Iterable[J], work: Work[J, R]) -> Iterator[Result[J, R] | Failed[J]]:
        """As `Executor`; jobs are taken one at a time. Nothing is kept when the last is done."""
        worker = Worker(self.device)
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            for job in jobs:
                try:
                    for value in work(job, worker):
                        yield Result(job, value)
                except Exception as error:
                    yield failure(job, error)
        finally:
            torch.set_num_threads(before)
            worker.close()
