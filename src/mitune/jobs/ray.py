"""Jobs on the actors of a Ray cluster."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import ray
import torch

from mitune.jobs.base import Failed, JobError, Result, Work
from mitune.jobs.message import answer, close, message, read
from mitune.jobs.queue import Queue, Turn
from mitune.jobs.worker import Worker

J = TypeVar("J")
R = TypeVar("R")


class Member:
    """What an actor is: a worker that answers messages."""

    def __init__(self, device: Callable[[], torch.device], threads: int) -> None:
        warnings.simplefilter("ignore")  # the driver's to print: it has done such jobs itself
        torch.set_num_threads(threads)
        self._worker = Worker(device())

    def ready(self) -> None:
        """Wait for its start."""

    def answer(self, sent: bytes) -> bytes:
        """See `message`."""
        return answer(sent, self._worker)


class Actors:
    """Up to `count` actors, each with a GPU or with `threads` of a CPU.

    Attributes
    ----------
    count
        None: as many as the cluster has GPUs, or else as many as its CPUs have room for.
    device
        Called where an actor lives.
    gpus
        Whether to use those of the cluster, if it has any.
    """

    def __init__(
        self, count: int | None, threads: int, device: Callable[[], torch.device], gpus: bool
    ) -> None:
        there = _cluster()
        self.on_gpus = gpus and there.get("GPU", 0) >= 1
        room = there["GPU"] if self.on_gpus else there.get("CPU", 0) / threads
        self.count = count or max(1, int(room))
        self._arguments = (device, threads)
        needs = {"num_cpus": 1, "num_gpus": 1} if self.on_gpus else {"num_cpus": threads}
        self._kind: Any = ray.remote(**needs)(Member)
        self._members: dict[int, Any] = {}

    def member(self, place: int) -> Any:
        """The actor at a place, started anew if it was discarded."""
        if place not in self._members:
            self._members[place] = self._kind.remote(*self._arguments)
        return self._members[place]

    def discard(self, place: int) -> None:
        """Stop the actor at a place, whatever it does."""
        ray.kill(self._members.pop(place))

    def end(self) -> None:
        """Stop all of them."""
        for place in list(self._members):
            self.discard(place)


def _cluster() -> dict[str, float]:
    """What the cluster has: that of RAY_ADDRESS, one that runs here, or a new one of this machine.

    Nothing is reported to Ray's makers unless RAY_USAGE_STATS_ENABLED says so.
    """
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="warning")
    return dict(ray.cluster_resources())


@dataclass(frozen=True)
class Ray:
    """Actors that pull jobs, and stay when these are done with what they keep open.

    On GPUs they give it back: other stages need the memory. What a job makes comes when it is
    done. An actor works as soon as the cluster has room for it; no job waits for one that has not
    started.
    """

    actors: Actors

    def results(self, jobs: Sequence[J], work: Work[J, R]) -> Iterator[Result[J, R] | Failed[J]]:
        """As `Executor`. Whoever stops listening stops the actors that are still busy."""
        yield from _Session(self.actors, Queue(jobs), work).results()


class _Session(Generic[J, R]):
    """One list of jobs. `_pending` has a turn for an answer, None for an actor that starts."""

    def __init__(self, actors: Actors, queue: Queue[J], work: Work[J, R]) -> None:
        self._actors, self._queue, self._work = actors, queue, work
        self._pending: dict[Any, tuple[int, Turn[J] | None]] = {}
        self._idle: set[int] = set()

    def results(self) -> Iterator[Result[J, R] | Failed[J]]:
        try:
            for place in range(min(self._actors.count, len(self._queue))):
                self._start(place)
            while self._queue or any(turn for _, turn in self._pending.values()):
                (reference,), _ = ray.wait(list(self._pending))
                place, turn = self._pending.pop(reference)
                try:
                    found = ray.get(reference)
                except ray.exceptions.RayError as error:
                    yield from self._lost(place, turn, str(error).strip().splitlines()[0])
                    continue
                self._give(place)
                if turn is not None:
                    yield from _told(turn.job, found)
        finally:
            for place, turn in self._pending.values():
                if turn:
                    self._actors.discard(place)
            self._give_back()

    def _start(self, place: int) -> None:
        self._pending[self._actors.member(place).ready.remote()] = (place, None)

    def _give(self, place: int) -> None:
        turn = self._queue.take()
        if turn is None:
            self._idle.add(place)
            return
        sent = message(self._work, turn.job)
        self._pending[self._actors.member(place).answer.remote(sent)] = (place, turn)

    def _lost(self, place: int, turn: Turn[J] | None, how: str) -> Iterator[Failed[J]]:
        self._actors.discard(place)
        if turn is None:
            raise JobError(f"Ray cannot start a worker: {how}")
        failed = self._queue.lost(turn, f"was lost ({how})")
        if self._queue and self._idle:  # the cluster may have no room for another
            self._give(self._idle.pop())
        elif self._queue:
            self._start(place)
        if failed:
            yield failed

    def _give_back(self) -> None:
        if self._actors.on_gpus:
            sent = message(close, None)
            ray.get([self._actors.member(p).answer.remote(sent) for p in self._idle])


def _told(job: J, found: bytes) -> Iterator[Result[J, Any] | Failed[J]]:
    values, failed = read(found)
    yield from (Result(job, value) for value in values)
    if failed:
        yield replace(failed, job=job)
