"""Pictures in rows and columns, each row with its text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray


def picture_grid(
    columns: Sequence[str], rows: Sequence[tuple[str, Sequence[NDArray[np.uint8]]]]
) -> Figure:
    """A row of pictures (H, W, 3) uint8 RGB per text, one for each of `columns`."""
    size = (1.25 * len(columns) + 0.2, 1.45 * len(rows) + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for axes, (text, pictures) in zip(grid, rows, strict=True):
        for axis, picture in zip(axes, pictures, strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
        written = axes[0].set_xlabel(text, fontsize=7, loc="left", labelpad=2)
        written.set_in_layout(False)  # it is wider than its picture, and must not widen the column
    for axis, name in zip(grid[0], columns, strict=True):
        axis.set_title(name, fontsize=8)
    return figure
