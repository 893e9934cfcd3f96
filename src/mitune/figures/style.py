"""What figures share: axes without a frame, colours of what is no arm, names of estimates."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860", "#da8bc3")
GOOD, BAD, QUIET = "#2a9d4a", "#c44e52", "#cccccc"
_ESTIMATES = {"path": "path score", "forward": "forward score", "information": "information"}


def row_of_axes(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure in inches and its axes, side by side."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def estimate_label(name: str) -> str:
    """An estimate of MI, or a metric, for readers."""
    return _ESTIMATES.get(name, name)
