"""What races keep over what they cost."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mitune.figures.style import COLOURS, estimate_label, row_of_axes

_KINDS = (("error", "bound on the error", -11), ("best", "best share goes on", 5))


def race_figure(races: pd.DataFrame) -> Figure:
    """`kept` (filled) and `gain_kept` (open) of every rule, one panel an estimator."""
    estimators = list(dict.fromkeys(races["estimator"]))
    figure, axes = row_of_axes(4.4 * len(estimators), 3.6, len(estimators))
    lowest = min(0.9, float(races[["kept", "gain_kept"]].min().min()))
    for axis, estimator in zip(axes, estimators, strict=True):
        _draw_rules(axis, races[races["estimator"] == estimator])
        axis.axhline(0.95, color="#999999", lw=1, ls=":")
        axis.set_xlim(0, 1)
        axis.set_ylim(lowest - 0.05, 1.05)
        axis.set_xlabel("evaluations, share of all")
        axis.set_title(estimate_label(estimator), fontsize=10)
        axis.legend(frameon=False, fontsize=8, loc="lower right")
    axes[0].set_ylabel("winners' information kept\n(open: above the mean candidate)")
    return figure


def _draw_rules(axis: Axes, rows: pd.DataFrame) -> None:
    for (kind, label, height), colour in zip(_KINDS, COLOURS, strict=False):
        line = rows[rows["rule"].str.startswith(kind)].sort_values("evaluations")
        if line.empty:
            continue
        axis.plot(line["evaluations"], line["kept"], "o-", ms=4, color=colour, label=label)
        axis.plot(line["evaluations"], line["gain_kept"], "o:", ms=4, mfc="w", color=colour)
        for _, row in line.iterrows():
            axis.annotate(
                row["rule"].split()[1],
                (row["evaluations"], row["kept"]),
                xytext=(0, height),
                textcoords="offset points",
                fontsize=7,
                color=colour,
            )
