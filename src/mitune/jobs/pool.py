"""Processes that wait for jobs, as long as this process lives.

Not `concurrent.futures`: there one dead worker fails every job, without a word which one it had.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess, parent_process
from types import ModuleType

import torch

from mitune.jobs.message import do
from mitune.jobs.worker import Worker


@dataclass(frozen=True)
class Member:
    """One process of the pool, and the line to it."""

    process: BaseProcess
    line: Connection

    def end(self) -> None:
        """Stop it, whatever it does."""
        self.line.close()
        self.process.kill()
        self.process.join()


class Pool:
    """A worker for each of `devices`, with `threads` of torch each; `preload` is imported once.

    Where the platform has a fork server, workers come from one that has imported `preload` and
    nothing else: they start in milliseconds, and no accelerator has been touched before the fork.
    """

    def __init__(
        self,
        devices: Sequence[str],
        threads: int,
        preload: Sequence[str] = (),
    ) -> None:
        self.devices = tuple(devices)
        self._threads = threads
        self._context = _context(preload)
        self._members: dict[int, Member] = {}

    @property
    def ready(self) -> bool:
        """Whether all workers have been started."""
        return len(self._members) == len(self.devices)

    def members(self) -> list[Member]:
        """All of them, started or started anew where one is gone."""
        return [self.member(place) for place in range(len(self.devices))]

    def member(self, place: int) -> Member:
        """The worker at a place, started anew if it is gone."""
        there = self._members.get(place)
        if there is None or not there.process.is_alive():
            if there:
                there.end()
            self._members[place] = self._started(self.devices[place])
        return self._members[place]

    def has(self, place: int) -> bool:
        """Whether there is a worker at a place."""
        return place in self._members

    def discard(self, place: int) -> int | None:
        """Stop the worker at a place; its exit code."""
        member = self._members.pop(place)
        member.process.join(1)  # time for one that dies by itself to say how
        code = member.process.exitcode
        member.end()
        return code

    def end(self) -> None:
        """Stop all of them."""
        for place in list(self._members):
            self._members.pop(place).end()

    def _started(self, device: str) -> Member:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(  # type: ignore[attr-defined]
            target=_serve, args=(theirs, device, self._threads), daemon=True
        )
        with _without_main():
            process.start()
        theirs.close()  # so that the line breaks when the worker dies
        return Member(process, ours)


def _context(preload: Sequence[str]) -> BaseContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    return context


@contextmanager
def _without_main() -> Iterator[None]:
    """Let a new process not import this one's main module: a script would run again, a command
    line would load all of its framework, and work is of neither.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _serve(line: Connection, device: str, threads: int) -> None:
    """Life of a worker: a message in; ("made", value) and ("done", failure) out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which stops its workers
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    warnings.simplefilter("ignore")  # the parent's to print: it has done such jobs itself
    torch.set_num_threads(threads)
    worker = Worker(torch.device(device))
    while True:
        try:
            message = line.recv_bytes()
        except (EOFError, OSError):
            return
        line.send(("done", do(message, worker, lambda value: line.send(("made", value)))))


def _leave_with_parent() -> None:
    """A parent that was killed closes nothing: its end is seen here, and no orphan stays."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
