"""How long commands take to start, beside importing Kedro's command line alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from time import perf_counter

from benchmarks.ratios import Row, in_turn

REPEATS = 5
COMMANDS = ("--version", "lineage round_1.adapter --env=smoke", "status --env=smoke")


def rows() -> Iterator[Row]:
    """Ratios below 1: the share of the time that is Kedro's own."""
    bare = command("-c", "import kedro.framework.cli, kedro.framework.session")
    for arguments in COMMANDS:
        ours = command("-m", "kedro", *arguments.split())
        yield in_turn(
            "start",
            (f"kedro {arguments}", ours),
            ("importing Kedro", bare),
            REPEATS,
            (1, "starts/s"),
            perf_counter,
        )


def command(*arguments: str) -> Callable[[], object]:
    """A process of its own; a refusal (nothing made yet) is a start too."""

    def run() -> None:
        subprocess.run([sys.executable, *arguments], capture_output=True, check=False)

    return run
