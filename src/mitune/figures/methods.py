"""Methods side by side: alignment at both guidances, and how far their pictures are off."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mitune.arm import Arm
from mitune.figures.style import row_of_axes
from mitune.metrics.units import Units


def methods(
    results: pd.DataFrame,
    arms: Sequence[Arm],
    metric: str,
    units: Units,
    distance: str | None,
    guidances: Sequence[str],
) -> Figure:
    """A row per arm, the first on top; 95 % intervals over prompts where there are any.

    A panel of `metric` per kind of guidance, and one of `distance` at the first: less is better.
    """
    panels = [(metric, guidance, units.factor) for guidance in guidances]
    if distance is not None:
        panels.append((distance, guidances[0], 1.0))
    height = 1.2 + 0.28 * len(arms)
    figure, axes = row_of_axes(3.4 * len(panels) + 1.2, height, len(panels))
    for axis, (measure, guidance, factor) in zip(axes, panels, strict=True):
        part = results[(results["measure"] == measure) & (results["guidance"] == guidance)]
        _points(axis, part.set_index("model"), arms, factor)
        axis.set_title(f"{guidance} guidance", fontsize=9)
        axis.set_xlabel(units.axis(metric) if measure == metric else f"{measure} (less is better)")
        axis.set_yticks(range(len(arms)), [""] * len(arms))
    axes[0].set_yticks(range(len(arms)), [arm.title for arm in arms], fontsize=8)
    return figure


def _points(axis: Axes, rows: pd.DataFrame, arms: Sequence[Arm], factor: float) -> None:
    """Dotted: the first arm."""
    shown = rows[["value", "low", "high"]] * factor
    axis.axvline(float(shown["value"][arms[0].name]), color="#c4cad1", lw=1, ls=":")
    for place, arm in enumerate(arms):
        row = shown.loc[arm.name]
        axis.hlines(place, row["low"], row["high"], color=arm.colour, lw=1.8)
        axis.plot(row["value"], place, "o", ms=5, color=arm.colour)
    axis.set_ylim(len(arms) - 0.5, -0.5)
    axis.grid(axis="x", color="#eef1f4")
