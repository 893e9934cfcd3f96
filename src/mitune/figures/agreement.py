"""How far estimates of MI and metrics agree."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mitune.figures.style import COLOURS, estimate_label, row_of_axes


def agreement_figure(table: pd.DataFrame) -> Figure:
    """Tau and AUC of each estimate with each metric, with 95 % intervals."""
    figure, axes = row_of_axes(8, 3.2, 2)
    metrics = list(dict.fromkeys(table["metric"]))
    estimates = list(dict.fromkeys(table["estimate"]))
    for axis, name, chance in ((axes[0], "tau", 0.0), (axes[1], "auc", 0.5)):
        for i, metric in enumerate(metrics):
            part = table[table["metric"] == metric].set_index("estimate").loc[estimates]
            x = np.arange(len(part)) + (i - (len(metrics) - 1) / 2) * 0.25
            error = [part[name] - part[f"{name}_low"], part[f"{name}_high"] - part[name]]
            colour = COLOURS[i % len(COLOURS)]
            axis.errorbar(x, part[name], error, fmt="o", capsize=3, color=colour, label=metric)
        axis.axhline(chance, color="#999999", lw=1, ls=":")
        axis.set_xticks(range(len(estimates)), [estimate_label(e) for e in estimates])
        axis.set_ylabel("Kendall's tau within a prompt" if name == "tau" else "AUC within a prompt")
    axes[0].legend(frameon=False)
    return figure
