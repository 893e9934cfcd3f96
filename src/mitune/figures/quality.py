"""Distances of every arm's pictures to reference pictures."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from mitune.arm import Arm
from mitune.figures.style import row_of_axes


def quality(table: pd.DataFrame, arms: Sequence[Arm], control: str) -> Figure:
    """Each distance to the references by arm, with 95 % intervals where there are any.

    Dotted: the row `control`, other pictures from where the references are from.
    """
    distances = list(dict.fromkeys(table["distance"]))
    figure, axes = row_of_axes(3.6 * len(distances), 3.2, len(distances))
    for axis, distance in zip(axes, distances, strict=True):
        part = table[table["distance"] == distance].set_index("model")
        for i, arm in enumerate(arms):
            row = part.loc[arm.name]
            axis.plot(i, row["value"], "o", color=arm.colour)
            axis.vlines(i, row["low"], row["high"], color=arm.colour)
        if control in part.index:
            axis.axhline(part.loc[control, "value"], color="#999999", lw=1, ls=":", label=control)
            axis.legend(frameon=False, fontsize=8)
        axis.set_xticks(range(len(arms)), [arm.title for arm in arms], rotation=35, ha="right")
        axis.set_ylabel(distance)
        first = part.loc[arms[0].name]
        axis.set_title(f"n = {first['n']:.0f}, m = {first['m']:.0f}", fontsize=8)
    return figure
