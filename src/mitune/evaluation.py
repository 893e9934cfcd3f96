"""A model on a test set: its images and their scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mitune.backbones import Backbone
from mitune.candidates import latents_of, scores_in
from mitune.metrics import Scorer
from mitune.metrics.base import check_scores


def measure(
    backbone: Backbone, candidates: pd.DataFrame, scorers: Mapping[str, Scorer]
) -> tuple[pd.DataFrame, NDArray[np.uint8]]:
    """Decode candidates and score them: (table with one column per scorer, pictures (N, H, W, 3)).

    The table keeps prompt_id, category, prompt, image_index, seed and the estimates of MI. Raises
    MetricError for a score that is not finite.
    """
    pictures = backbone.decode(latents_of(candidates))
    table = scores_in(candidates)
    shown = [f"{row.prompt_id}, image {row.image_index}" for row in table.itertuples()]
    for name, scorer in scorers.items():
        scores = scorer(pictures, list(candidates["prompt"]))
        check_scores(name, scores, shown)
        table[name] = scores
    return table, pictures
