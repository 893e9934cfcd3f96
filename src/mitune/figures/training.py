"""The loss over fine-tuning."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from mitune.figures.style import COLOURS, row_of_axes


def training_figure(log: pd.DataFrame) -> Figure:
    """Loss per step, and its running mean."""
    figure, (axis,) = row_of_axes(5, 2.8)
    axis.plot(log["index"], log["loss"], color="#bbbbbb", lw=1)
    axis.plot(log["index"], log["loss"].rolling(20, min_periods=1).mean(), color=COLOURS[0])
    axis.set_xlabel("optimiser step")
    axis.set_ylabel("loss")
    return figure
