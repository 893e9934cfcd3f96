"""Draw what training logged: apart from training, so that a change of style trains nothing."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from mitune.figures.training import training_figure


def draw_training(training_log: pd.DataFrame) -> Figure:
    """Loss and gradient norm by step."""
    return training_figure(training_log)
