"""Candidates of some prompts in the order of their MI."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mitune.figures.style import GOOD, QUIET, estimate_label


def contact_sheet(
    rows: Sequence[tuple[str, pd.DataFrame, NDArray[np.uint8]]],
    score: str,
    metric: str,
    threshold: float | None,
) -> Figure:
    """Candidates of some prompts, highest score first; green where `metric` is above `threshold`.

    Without a threshold no picture is called right, and the metric stands beside the score.
    """
    shown = max(min(12, max((len(p) for _, _, p in rows), default=1)), 1)
    width = max(1.05 * shown + 0.2, 5.0)  # no less than its title
    figure = Figure(figsize=(width, 1.35 * len(rows) + 0.4), layout="constrained")
    grid = figure.subplots(max(len(rows), 1), shown, squeeze=False)
    for axes, (prompt, table, pictures) in zip(grid, rows, strict=False):
        picks = np.unique(np.linspace(0, len(pictures) - 1, shown).round().astype(int))
        for axis in axes:
            axis.axis("off")
        for axis, pick in zip(axes, picks, strict=False):
            axis.axis("on")
            axis.imshow(pictures[pick], interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
            right = threshold is not None and table[metric].iloc[pick] > threshold
            for side in axis.spines.values():
                side.set_color(GOOD if right else QUIET)
                side.set_linewidth(2.5 if right else 1)
            written = f"{table[score].iloc[pick]:.1f}"
            if threshold is None:
                written += f" · {table[metric].iloc[pick]:.2f}"
            axis.set_xlabel(written, fontsize=7, labelpad=1)
        title = axes[0].set_title(prompt, fontsize=8, loc="left")
        title.set_in_layout(False)  # it is wider than its picture, and must not widen the column
    meaning = f"beside it: {metric}" if threshold is None else f"green: {metric} > {threshold:g}"
    figure.suptitle(
        f"candidates by {estimate_label(score)} (nats), best first; {meaning}", fontsize=9
    )
    return figure
