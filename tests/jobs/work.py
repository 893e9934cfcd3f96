"""Work for the tests, in a module of its own: other processes import it by name."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from mitune.errors import UserError
from mitune.jobs import Rank, Worker

DEADLY, USERS, BUG, HALF, DEADLY_ONCE = 100, 101, 102, 103, 104


def cpu() -> torch.device:
    return torch.device("cpu")


@contextmanager
def opened(log: Path, key: str) -> Iterator[str]:
    with log.open("a") as stream:
        stream.write(f"{os.getpid()} opens {key}\n")
    yield key
    with log.open("a") as stream:
        stream.write(f"{os.getpid()} closes {key}\n")


@dataclass(frozen=True)
class Square:
    """Squares, slowly enough for every worker to get some; some numbers are ill-behaved."""

    log: Path
    key: str = "model"
    seconds: float = 0.02

    def __call__(self, job: int, worker: Worker) -> Iterator[int]:
        worker.keep("model", self.key, lambda: opened(self.log, self.key))
        time.sleep(self.seconds)
        if job == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        if job == USERS:
            raise UserError(f"prompt {job}: not finite; lower guidance.scale")
        if job == BUG:
            raise KeyError("column")
        yield job * job
        if job == DEADLY_ONCE:
            before = self.log.with_name("died")
            if not before.exists():
                before.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield -job
        if job == HALF:
            raise UserError("the second half of 103 fails")


def matrix(job: int, worker: Worker) -> Iterator[torch.Tensor]:
    generator = torch.Generator(worker.device).manual_seed(job)
    a = torch.randn(200, 200, generator=generator)
    yield torch.linalg.svd(a @ a.T).S


def sleep_forever(job: Path, worker: Worker) -> Iterator[None]:
    job.write_text(str(os.getpid()))
    time.sleep(600)
    yield None


def gathered(rank: Rank, worker: Worker) -> Iterator[list[int]]:
    """What every process has to say, told by the first."""
    rank.join(worker.device)
    said = torch.zeros(rank.count, dtype=torch.int64)
    said[rank.index] = os.getpid()
    torch.distributed.all_reduce(said)
    if rank.index == 0:
        yield said.tolist()


def deserted(rank: Rank, worker: Worker) -> Iterator[None]:
    """The second dies while the first waits for it."""
    rank.join(worker.device)
    if rank.index == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    torch.distributed.barrier()
    yield None
