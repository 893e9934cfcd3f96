"""Alignment over guidance, one line an arm: where tuning pays and where guidance does."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mitune.arm import Arm
from mitune.figures.style import row_of_axes
from mitune.metrics.units import Units


def guidance_curve(curve: pd.DataFrame, metric: str, units: Units, arms: Sequence[Arm]) -> Figure:
    """`curve` (model, scale, value, low, high) with 95 % intervals over prompts."""
    figure, (axis,) = row_of_axes(5.2, 3.4)
    for arm in arms:
        draw_line(axis, curve[curve["model"] == arm.name], arm, units.factor)
    axis.set_xticks(sorted(set(curve["scale"])))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_xlabel("guidance scale")
    axis.set_ylabel(units.axis(metric))
    axis.grid(axis="y", color="#eef1f4")
    axis.legend(frameon=False, fontsize=9, loc="lower right")
    return figure


def draw_line(axis: Axes, rows: pd.DataFrame, arm: Arm, factor: float) -> None:
    """One arm's `value` over `scale`, with its band."""
    rows = rows.sort_values("scale")
    value, low, high = (factor * rows[name] for name in ("value", "low", "high"))
    axis.plot(rows["scale"], value, "o-", ms=4, color=arm.colour, label=arm.title)
    axis.fill_between(rows["scale"], low, high, color=arm.colour, alpha=0.15, lw=0)
