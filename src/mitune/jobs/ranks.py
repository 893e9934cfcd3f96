"""One piece of work that several processes do together, as torch.distributed has it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from mitune.jobs.base import Failed, JobError, Work
from mitune.jobs.pool import Pool
from mitune.jobs.processes import Processes
from mitune.jobs.worker import Worker

R = TypeVar("R")


@dataclass(frozen=True)
class Rank:
    """One of `count` processes, which meet by way of the file `meeting`; alone by default."""

    index: int = 0
    count: int = 1
    meeting: str = ""

    def __str__(self) -> str:
        return f"process {self.index + 1} of {self.count}"

    def join(self, device: torch.device) -> None:
        """Wait for the others: from now on accelerate finds them. Once in a process's life."""
        if self.count == 1:
            return
        ours = {"RANK": self.index, "LOCAL_RANK": self.index}
        all_of_us = {"WORLD_SIZE": self.count, "LOCAL_WORLD_SIZE": self.count}
        threads = {"OMP_NUM_THREADS": torch.get_num_threads()}  # else accelerate sets its own
        os.environ |= {name: str(n) for name, n in (ours | all_of_us | threads).items()}
        torch.distributed.init_process_group(
            "gloo" if device.type == "cpu" else None,
            init_method=Path(self.meeting).as_uri(),
            rank=self.index,
            world_size=self.count,
        )


def together(work: Work[Rank, R], pool: Pool) -> Iterator[R]:
    """What `work` makes on all processes of `pool`, which end with it.

    Raises
    ------
    JobError
        Of the first process that fails; the others are stopped.
    """
    with tempfile.TemporaryDirectory() as folder:
        meeting = str(Path(folder) / "meeting")
        count = len(pool.devices)
        ranks = [Rank(index, count, meeting) for index in range(count)]
        try:
            with closing(Processes(pool, 1).results(ranks, work)) as outcomes:  # type: ignore[type-var]
                for outcome in outcomes:
                    if isinstance(outcome, Failed):
                        raise JobError(outcome.message)
                    yield outcome.value
        finally:
            pool.end()


def alone(work: Work[Rank, R], device: torch.device) -> Iterator[R]:
    """What `work` makes in this process."""
    worker = Worker(device)
    try:
        yield from work(Rank(), worker)
    finally:
        worker.close()
