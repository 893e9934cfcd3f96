"""Jobs on the tasks of a Slurm array, by submitit, with files between them and this process."""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import submitit
import torch

from mitune.errors import UserError
from mitune.jobs.base import Failed, JobError, Result, Work
from mitune.jobs.message import answer, message, read
from mitune.jobs.queue import Queue, Turn
from mitune.jobs.worker import Worker

J = TypeVar("J")
R = TypeVar("R")

_PAUSE = 0.2  # seconds between two looks
_SILENCE = 180  # seconds after which workers believe that the driver is gone
_GIVE_UP = 3  # tasks that end before they take a job: the others will not do better
_WAITING, _TAKEN, _DONE, _DRIVER = "waiting", "taken", "done", "driver"


@dataclass(frozen=True)
class Slurm:
    """An array of at most `count` tasks that pull jobs from a folder which all machines see.

    Where there is no Slurm, submitit starts the tasks on this machine. A task that ends before its
    time, or is out of it, is submitted again while jobs wait. What a job makes comes when it is
    done. Tasks stop when this process does, or has not been heard of for three minutes.

    Attributes
    ----------
    folder
        Where jobs, answers and submitit's logs lie.
    options
        submitit's, as `timeout_min`, `slurm_partition`, `gpus_per_node`.
    device
        Called where a task runs.
    """

    folder: Path
    count: int
    threads: int
    device: Callable[[], torch.device]
    options: Mapping[str, Any]

    def results(self, jobs: Sequence[J], work: Work[J, R]) -> Iterator[Result[J, R] | Failed[J]]:
        """As `Executor`. Whoever stops listening cancels the tasks."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="jobs_") as name:
            folder = Path(name).absolute()
            yield from _Session(self, folder, Queue(jobs), work).results()


class _Session(Generic[J, R]):
    """One list of jobs. A job is a file, which a task moves to itself to take it."""

    def __init__(self, slurm: Slurm, folder: Path, queue: Queue[J], work: Work[J, R]) -> None:
        self._slurm, self._folder, self._queue, self._work = slurm, folder, queue, work
        self._turns: dict[str, Turn[J]] = {}  # of jobs that are not done
        self._tasks: dict[str, Any] = {}  # of submitit, until they have ended
        self._submitted = 0
        self._stillborn = 0
        self._executor = _executor(slurm)
        for name in (_WAITING, _TAKEN, _DONE):
            (folder / name).mkdir()

    def results(self) -> Iterator[Result[J, R] | Failed[J]]:
        for number in range(len(self._queue)):
            self._put_out(f"{number:06}")
        try:
            while self._turns:
                (self._folder / _DRIVER).touch()
                ended = [name for name, task in self._tasks.items() if task.done()]
                yield from self._answers()
                for name in ended:
                    yield from self._ended(name)
                self._submit()
                time.sleep(_PAUSE)
        finally:
            for task in self._tasks.values():
                if not task.done():
                    task.cancel(check=False)

    def _put_out(self, name: str) -> None:
        turn = self._queue.take()
        assert turn is not None
        self._turns[name] = turn
        _write(self._folder, f"{_WAITING}/{name}", message(self._work, turn.job))

    def _submit(self) -> None:
        """As many tasks as can be of use."""
        waiting = len(list((self._folder / _WAITING).iterdir()))
        count = min(self._slurm.count - len(self._tasks), waiting)
        if count <= 0:
            return
        names = [f"task{self._submitted + number}" for number in range(count)]
        self._submitted += count
        task = partial(serve, self._folder, device=self._slurm.device, threads=self._slurm.threads)
        try:
            self._tasks |= zip(names, self._executor.map_array(task, names), strict=True)
        except submitit.core.utils.FailedJobError as error:
            raise JobError(f"Slurm takes no jobs: {_line(str(error))}") from None

    def _answers(self) -> Iterator[Result[J, R] | Failed[J]]:
        for file in sorted((self._folder / _DONE).iterdir()):
            values, failed = read(file.read_bytes())
            file.unlink()
            turn = self._turns.pop(file.name, None)
            if turn is None:
                continue  # it was believed to be lost
            yield from (Result(turn.job, value) for value in values)
            if failed:
                yield replace(failed, job=turn.job)

    def _ended(self, name: str) -> Iterator[Failed[J]]:
        task = self._tasks.pop(name)
        taken = [file.stem for file in (self._folder / _TAKEN).glob(f"*.{name}")]
        if not taken and task.exception() is not None:
            self._stillborn += 1
            if self._stillborn == _GIVE_UP:
                raise JobError(
                    f"tasks end before they begin: {_line(task.stderr() or task.state)} "
                    f"(all of it in {task.paths.stderr})"
                )
        for place in taken:
            if place in self._turns:
                failed = self._queue.lost(self._turns.pop(place), f"left no answer ({task.state})")
                if failed:
                    yield failed
                else:
                    self._put_out(place)


def serve(folder: Path, name: str, device: Callable[[], torch.device], threads: int) -> None:
    """Life of a task: take jobs and leave answers, until none waits or nobody does."""
    warnings.simplefilter("ignore")  # the driver's to print: it has done such jobs itself
    torch.set_num_threads(threads)
    worker = Worker(device())
    try:
        while taken := _taken(folder, name):
            _write(folder, f"{_DONE}/{taken.stem}", answer(taken.read_bytes(), worker))
    except FileNotFoundError:
        return  # the driver has stopped, and its folder is gone
    finally:
        worker.close()


def _taken(folder: Path, name: str) -> Path | None:
    clock = folder / f"clock.{name}"  # of the same file system as the driver's
    clock.touch()
    if clock.stat().st_mtime - (folder / _DRIVER).stat().st_mtime > _SILENCE:
        return None
    for file in sorted((folder / _WAITING).iterdir()):
        mine = folder / _TAKEN / f"{file.name}.{name}"
        try:
            file.rename(mine)
        except FileNotFoundError:
            continue  # another was faster
        return mine
    return None


def _write(folder: Path, place: str, content: bytes) -> None:
    """Whole or not at all."""
    part = folder / place.replace("/", ".")
    part.write_bytes(content)
    os.replace(part, folder / place)


def _executor(slurm: Slurm) -> Any:
    executor = submitit.AutoExecutor(folder=slurm.folder / "logs")
    defaults = {"name": "mitune", "timeout_min": 240, "slurm_array_parallelism": slurm.count}
    try:
        executor.update_parameters(**(defaults | dict(slurm.options)))
    except (NameError, TypeError, ValueError) as error:
        raise UserError(f"resources.slurm: {_line(str(error))}") from None
    return executor


def _line(text: str) -> str:
    """The last of several, where Python and Slurm say what is wrong."""
    return text.strip().splitlines()[-1] if text.strip() else "no reason is given"
