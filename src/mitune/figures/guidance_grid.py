"""Alignment against distance over guidance (MI-TUNE, Fig. 2)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from mitune.arm import Arm
from mitune.figures.guidance_curve import draw_line
from mitune.figures.style import row_of_axes
from mitune.metrics.units import Units


def guidance_grid(
    grid: pd.DataFrame, arms: Sequence[Arm], alignment: str, units: Units, distance: str
) -> Figure:
    """Alignment and distance over guidance, and one against the other."""
    figure, axes = row_of_axes(11, 3.4, 3)
    for arm in arms:
        rows = grid[grid["model"] == arm.name].sort_values("scale")
        high, far = (rows[rows["measure"] == measure] for measure in (alignment, distance))
        draw_line(axes[0], high, arm, units.factor)
        draw_line(axes[1], far, arm, 1.0)
        aligned = units.factor * high["value"]
        axes[2].plot(far["value"], aligned, "o-", ms=3, color=arm.colour)
        for scale, x, y in zip(far["scale"], far["value"], aligned, strict=True):
            axes[2].annotate(f"{scale:g}", (x, y), (2, 2), textcoords="offset points", fontsize=6)
    less, more = f"{distance} (less is better)", units.axis(alignment)
    for axis, x, y in zip(
        axes, ("guidance", "guidance", less), (more, distance, more), strict=True
    ):
        axis.set_xlabel(x)
        axis.set_ylabel(y)
    axes[0].legend(frameon=False, fontsize=8)
    return figure
