"""Two workers against one, each with one thread: generation of the same jobs."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator
from time import perf_counter

import pandas as pd

from benchmarks.generation import CPU, MODEL
from benchmarks.ratios import Row, in_turn
from mitune.backbones import AdapterRef
from mitune.candidates import Batch, Generation, Source
from mitune.candidates.batch import batches
from mitune.jobs import Executor, Pool, Processes, Serial, run
from mitune.pipelines.shared.painting import Painting
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.workers import PRELOAD

PROMPTS, IMAGES, STEPS, BATCH, REPEATS = 32, 8, 6, 16, 3
SETTINGS = Generation(images_per_prompt=IMAGES, steps=STEPS)


def rows() -> Iterator[Row]:
    """The model is open on both sides after the first run."""
    pool = Pool(["cpu", "cpu"], 1, PRELOAD)
    atexit.register(pool.end)
    yield in_turn(
        "workers",
        ("2 workers", painting(Processes(pool))),
        ("1 worker", painting(Processes(one := Pool(["cpu"], 1, PRELOAD)))),
        REPEATS,
        (PROMPTS * IMAGES, "images/s"),
        perf_counter,
    )
    yield in_turn(
        "workers",
        ("1 worker", painting(Processes(one))),
        ("no worker, 1 thread", painting(Serial(CPU, 1))),
        REPEATS,
        (PROMPTS * IMAGES, "images/s"),
        perf_counter,
    )
    one.end()


def jobs() -> list[Batch]:
    """Of a stage."""
    return batches(_prompts(), SETTINGS, BATCH)


def _prompts() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "prompt_id": [str(number) for number in range(PROMPTS)],
            "category": "color",
            "prompt": [f"{number} red stars" for number in range(PROMPTS)],
        }
    )


def painting(executor: Executor) -> Callable[[], object]:
    """All of them."""
    work = Painting(
        Source(MODEL, AdapterRef(None), "benchmark"), SETTINGS, Resources(batch_size=BATCH)
    )

    def nothing_is_finished(job: Batch) -> bool:
        return False

    return lambda: list(run(jobs(), work, nothing_is_finished, executor))
