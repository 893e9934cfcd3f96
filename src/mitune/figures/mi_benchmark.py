"""Estimators by tasks of known information."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure


def mi_benchmark_table(results: pd.DataFrame) -> Figure:
    """Mean estimates in nats, estimators by tasks, coloured by what is missing or too much.

    Colour: (estimate - truth) / truth, clipped to one.
    """
    means = results.pivot_table(
        "estimate", "estimator", "task", aggfunc="mean", sort=False, dropna=False
    )
    truth = results.drop_duplicates("task").set_index("task")["truth"].loc[means.columns]
    figure = Figure(figsize=(0.5 * len(truth) + 3, 0.32 * len(means) + 4), layout="constrained")
    axis = figure.subplots()
    error = ((means - truth) / truth).clip(-1, 1)
    errors = error.to_numpy()
    image = axis.imshow(errors, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(means.to_numpy()):
        shown = "–" if np.isnan(value) else f"{value:.2f}" if abs(value) < 100 else f"{value:.0e}"
        dark = abs(errors[row, column]) > 0.6
        axis.text(
            column, row, shown, ha="center", va="center", fontsize=6.5, color="w" if dark else "k"
        )
    axis.set_yticks(range(len(means)), means.index, fontsize=8)
    labels = [f"{task}  ({value:.2f})" for task, value in truth.items()]
    axis.set_xticks(range(len(truth)), labels, rotation=90, fontsize=7)
    axis.xaxis.tick_top()
    figure.colorbar(image, ax=axis, label="relative error", fraction=0.02, pad=0.01)
    return figure
