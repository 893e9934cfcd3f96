"""Choose the fine-tuning set."""

from __future__ import annotations

import pandas as pd

from mitune.pipelines.compose.parameters import Compose


def compose(scores: pd.DataFrame, settings: Compose) -> pd.DataFrame:
    """The set: which image of which prompt in which role, with rank and scores; no latents."""
    return settings.selection(scores)
