"""Two ways to do a thing, timed in turn, so that what else the machine does meets both."""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch


@dataclass(frozen=True)
class Row:
    """A line of the table. `ratio`: how many times as fast as the other way, or as much of it."""

    suite: str
    what: str
    against: str
    ratio: float
    low: float
    high: float
    figures: str


Clock: TypeAlias = Callable[[], float]


def seconds(action: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    """Of one run."""
    start = clock()
    action()
    return clock() - start


def in_turn(
    suite: str,
    what: tuple[str, Callable[[], object]],
    against: tuple[str, Callable[[], object]],
    repeats: int,
    rate: tuple[float, str],
    clock: Clock = time.process_time,
) -> Row:
    """Median, least and most of the ratios of `repeats` pairs, after one to warm up.

    `rate`: how much one run does, and of what, for the figures. `clock`: the processor's time of
    this process, which others on the machine do not lengthen; of several processes, the wall's.
    """
    ours, theirs = what[1], against[1]
    ours(), theirs()
    pairs = [(seconds(theirs, clock), seconds(ours, clock)) for _ in range(repeats)]
    ratios = [slow / fast for slow, fast in pairs]
    amount, unit = rate
    their_rate, our_rate = (amount / statistics.median(side) for side in zip(*pairs, strict=True))
    return Row(
        suite,
        what[0],
        against[0],
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        f"{our_rate:.3g} and {their_rate:.3g} {unit}",
    )


def measure(suite: str) -> list[Row]:
    """All lines of a suite, said as they come."""
    torch.set_num_threads(1)
    found = []
    for row in importlib.import_module(f"benchmarks.{suite}").rows():
        print(line(row), flush=True)
        found.append(row)
    return found


def line(row: Row) -> str:
    """Of the table."""
    spread = "" if row.low == row.high else f" ({row.low:.2f} to {row.high:.2f})"
    return f"| {row.what} | {row.against} | **{row.ratio:.2f}**{spread} | {row.figures} |"
