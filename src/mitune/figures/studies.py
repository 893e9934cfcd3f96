"""Arms of a study side by side."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from mitune.figures.style import COLOURS, QUIET, row_of_axes
from mitune.metrics.units import Units

_OWN, _OTHER = COLOURS[0], "#7d8590"


def arms_by_mean(
    table: pd.DataFrame, metrics: Mapping[str, Units], labels: Mapping[str, str], against: str
) -> Figure:
    """`table` (model, metric, mean, low, high): a line per arm, an axis per metric.

    Bars are 95 % intervals over prompts. The band is that of arm `against`.
    """
    arms = list(dict.fromkeys(table["model"]))
    figure, axes = row_of_axes(2.2 + 2.6 * len(metrics), 0.9 + 0.27 * len(arms), len(metrics))
    places = range(len(arms), 0, -1)
    for axis, (metric, units) in zip(axes, metrics.items(), strict=True):
        rows = table[table["metric"] == metric].set_index("model")
        for place, arm in zip(places, arms, strict=True):
            low, mean, high = (
                units.factor * rows.loc[arm, name] for name in ("low", "mean", "high")
            )
            colour = _OWN if arm == against else _OTHER
            axis.hlines(place, low, high, color=colour, lw=1.5)
            axis.plot(mean, place, "o", ms=5, color=colour)
            if arm == against:
                axis.axvspan(low, high, color=QUIET, alpha=0.25, lw=0)
        axis.set_yticks(places, [labels[arm] for arm in arms] if axis is axes[0] else [])
        axis.set_ylim(0.4, len(arms) + 0.6)
        axis.set_xlabel(units.axis(metric))
    return figure
