"""When jobs would be done on many devices: the queue of the executors, played through."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Conditions:
    """What a cluster is like. Devices fail alike at any time; a failed one comes back as a new one.

    Attributes
    ----------
    start
        Seconds until a worker has its model open.
    spread
        Standard deviation of the logarithm of a job's time; its mean stays.
    failures
        Per device and hour.
    """

    start: float = 0.0
    spread: float = 0.0
    failures: float = 0.0


@dataclass(frozen=True)
class Schedule:
    """`seconds` until all is done; `worked`, `lost` and `started` in device seconds."""

    devices: int
    seconds: float
    worked: float
    lost: float
    started: float

    @property
    def efficiency(self) -> float:
        """Share of the devices' time that has made results."""
        return self.worked / (self.devices * self.seconds)


def simulate(
    jobs: Sequence[float], devices: int, conditions: Conditions, generator: np.random.Generator
) -> Schedule:
    """`jobs` in seconds of one device, the largest first, each pulled by whoever is free.

    What is lost with its device is the next one to be taken. No more devices start than there are
    jobs.
    """
    run = _Run(deque(sorted(jobs, reverse=True)), conditions, generator)
    for device in range(min(devices, len(jobs))):
        run.begin(0.0, device)
    while run.events:
        run.next()
    return Schedule(devices, run.ended, run.worked, run.lost, run.started)


class _Run:
    """Events are (time, device, the job that is lost then or None)."""

    def __init__(
        self, waiting: deque[float], conditions: Conditions, generator: np.random.Generator
    ) -> None:
        self.events: list[tuple[float, int, float | None]] = []
        self.ended = self.worked = self.lost = self.started = 0.0
        self._waiting, self._conditions, self._generator = waiting, conditions, generator
        self._idle: list[int] = []

    def begin(self, time: float, device: int) -> None:
        """A device opens its model."""
        start = self._conditions.start
        self.started += start
        heapq.heappush(self.events, (time + start, device, None))

    def next(self) -> None:
        """What happens next."""
        time, device, lost = heapq.heappop(self.events)
        if lost is not None:
            self._waiting.appendleft(lost)
            if self._idle:
                self._take(time, self._idle.pop())
            self.begin(time, device)
        elif self._waiting:
            self._take(time, device)
        else:
            self._idle.append(device)

    def _take(self, time: float, device: int) -> None:
        job, spread = self._waiting.popleft(), self._conditions.spread
        seconds = job * float(np.exp(spread * self._generator.normal() - spread**2 / 2))
        failure = np.inf
        if self._conditions.failures:
            failure = float(self._generator.exponential(3600 / self._conditions.failures))
        if failure < seconds:
            self.lost += failure
            heapq.heappush(self.events, (time + failure, device, job))
            return
        self.worked += seconds
        self.ended = max(self.ended, time + seconds)
        heapq.heappush(self.events, (time + seconds, device, None))
