"""The simulated schedule beside 1 and 2 real workers, and a figure of it up to 1,000 devices.

The figure is one category of the papers (700 prompts x 50 images x 50 steps, a day of one A100 as
they report), so that its hours are theirs and not measured here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks.generation import CPU
from benchmarks.ratios import Row, seconds
from benchmarks.workers import jobs, painting
from mitune.candidates import Generation
from mitune.candidates.batch import batches
from mitune.figures.style import COLOURS, row_of_axes
from mitune.jobs import Pool, Processes, Serial
from mitune.jobs.schedule import Conditions, simulate
from mitune.pipelines.shared.workers import PRELOAD

REPEATS = 3
FIGURE = "docs/scaling.png"
DAY, DEVICES = 24 * 3600, np.unique(np.geomspace(1, 1000, 40).astype(int))
CASES = {
    "nothing in the way": Conditions(),
    "2 min to start, 5 % spread": Conditions(120, 0.05),
    "and 30 % spread": Conditions(120, 0.3),
    "and a failure in 10 hours of each": Conditions(120, 0.3, 0.1),
}


def rows() -> Iterator[Row]:
    """Measured seconds over simulated ones, which are made of the mean job of one process."""
    serial = painting(Serial(CPU, 1))
    count = len(jobs())
    for workers in (1, 2):
        pool = Pool(["cpu"] * workers, 1, PRELOAD)
        shared = painting(Processes(pool))
        shared(), serial()
        ratios, times = [], []
        for _ in range(REPEATS):
            alone, found = seconds(serial), seconds(shared)
            each = [alone / count] * count
            simulated = simulate(each, workers, Conditions(), np.random.default_rng(0)).seconds
            ratios.append(found / simulated)
            times.append((found, simulated))
        pool.end()
        found, simulated = times[int(np.argsort(ratios)[REPEATS // 2])]
        yield Row(
            "schedule",
            f"{workers} workers, measured",
            "simulated",
            float(np.median(ratios)),
            min(ratios),
            max(ratios),
            f"{found:.1f} and {simulated:.1f} s",
        )
    scaling().savefig(FIGURE, dpi=120)


def scaling() -> Figure:
    """Hours, and the share of the devices' time at work, over devices."""
    prompts = pd.DataFrame(
        {"prompt_id": [str(n) for n in range(700)], "category": "color", "prompt": "a"}
    )
    settings = Generation(images_per_prompt=50, steps=50)
    figure, axes = row_of_axes(9, 3.4, 2)
    for batch_size, style in ((64, "-"), (50, ":")):
        sizes = [len(job.prompts) for job in batches(prompts, settings, batch_size)]
        todo = [DAY * size / 700 for size in sizes]
        for (name, conditions), colour in zip(CASES.items(), COLOURS, strict=False):
            found = [simulate(todo, int(n), conditions, np.random.default_rng(0)) for n in DEVICES]
            label = name if style == "-" else None
            hours = [each.seconds / 3600 for each in found]
            axes[0].loglog(DEVICES, hours, style, color=colour, label=label)
            axes[1].semilogx(DEVICES, [e.efficiency for e in found], style, color=colour)
        axes[1].axvline(len(todo), color="#cccccc", lw=1, ls=style, zorder=0)
        axes[1].text(len(todo), 1.02, f"{len(todo)} jobs", fontsize=8, ha="center")
    axes[0].set_ylabel("hours")
    axes[1].set_ylabel("share of the devices' time at work")
    for axis in axes:
        axis.set_xlabel("devices")
    axes[0].legend(frameon=False, fontsize=8)
    return figure
