"""A metric of every arm, by category."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mitune.arm import Arm
from mitune.figures.style import row_of_axes
from mitune.metrics.units import Units


def alignment(
    summary: pd.DataFrame,
    categories: Sequence[str],
    metric: str,
    units: Units,
    arms: Sequence[Arm],
) -> Figure:
    """Means with 95 % intervals over prompts, `categories` side by side, an arm after the other."""
    rows = summary[summary["metric"] == metric].set_index(["model", "category"]).sort_index()
    figure, (axis,) = row_of_axes(max(5.0, min(1.3 * len(categories) + 2.5, 12.0)), 3.6)
    step = 0.8 / len(arms)
    for i, arm in enumerate(arms):
        part = rows.loc[arm.name].loc[list(categories), ["mean", "low", "high"]] * units.factor
        x = np.arange(len(categories)) + (i - (len(arms) - 1) / 2) * step
        error = [part["mean"] - part["low"], part["high"] - part["mean"]]
        axis.errorbar(
            x, part["mean"], error, fmt="o", ms=5, lw=1.6, color=arm.colour, label=arm.title
        )
    for edge in range(1, len(categories)):
        axis.axvline(edge - 0.5, color="#e2e6ea", lw=1)
    axis.set_xlim(-0.5, len(categories) - 0.5)
    axis.set_xticks(range(len(categories)), list(categories))
    axis.set_ylabel(units.axis(metric))
    axis.grid(axis="y", color="#eef1f4")
    axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
