"""What the rank by MI says about the metrics (MI-TUNE, Fig. 17)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mitune.figures.style import BAD, COLOURS, GOOD, estimate_label, row_of_axes
from mitune.metrics.units import Units
from mitune.ranking import representatives


def by_rank(
    measurements: pd.DataFrame, estimates: Sequence[str], metrics: Mapping[str, Units]
) -> Figure:
    """The first metric by rank; the last estimate by outcome; each metric by place.

    The mean of the first metric by rank; if that has a threshold, the last estimate of right and
    of wrong pictures; and of each metric the distribution over prompts at the first, the middle
    and the last rank.
    """
    headline, units = next(iter(metrics.items()))
    split = units.threshold is not None
    count = 1 + split + len(metrics)
    figure, axes = row_of_axes(4 * count, 3.2, count)
    _means(axes[0], measurements, estimates, headline, units)
    best = estimates[-1]
    if units.threshold is not None:
        _outcomes(axes[1], measurements, best, headline, units.threshold)
    chosen = representatives(measurements, best)
    for axis, name in zip(axes[1 + split :], metrics, strict=True):
        for colour, place in zip(COLOURS, ("first", "middle", "last"), strict=False):
            values = metrics[name].factor * chosen[name][chosen["representative"] == place].dropna()
            axis.ecdf(values, color=colour, label=f"{place} by {estimate_label(best)}")
        axis.set_xlabel(metrics[name].axis(name))
        axis.set_ylabel("share of prompts at or below")
        axis.legend(frameon=False, fontsize=8)
    return figure


def _means(
    axis: Axes, measurements: pd.DataFrame, estimates: Sequence[str], metric: str, units: Units
) -> None:
    for i, estimate in enumerate(estimates):
        ranks = measurements.groupby("prompt_id")[estimate].rank(ascending=False, method="first")
        means = units.factor * measurements.groupby(ranks)[metric].mean()
        axis.plot(means.index, means, "o-", ms=3, color=COLOURS[i], label=estimate_label(estimate))
    axis.set_xlabel("rank by MI within the prompt")
    axis.set_ylabel(units.axis(f"mean {metric}"))
    if units.scale == "proportion":  # elsewhere nothing is at zero
        axis.set_ylim(0)
    axis.legend(frameon=False)


def _outcomes(
    axis: Axes, measurements: pd.DataFrame, estimate: str, metric: str, threshold: float
) -> None:
    scores = measurements[estimate]
    relative = scores - measurements.groupby("prompt_id")[estimate].transform("mean")
    low, high = np.quantile(relative.to_numpy(), [0.005, 0.995])
    bins = np.linspace(float(low), float(high), 40).tolist()
    right = measurements[metric] > threshold
    for label, rows, colour in (
        (f"{metric} > {threshold:g}", right, GOOD),
        (f"{metric} ≤ {threshold:g}", ~right, BAD),
    ):
        axis.hist(relative[rows], bins, alpha=0.6, color=colour, label=label)
    axis.set_xlabel(f"{estimate_label(estimate)} minus its mean over the prompt (nats)")
    axis.set_ylabel("candidates")
    axis.legend(frameon=False)
