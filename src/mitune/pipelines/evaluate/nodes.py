"""Measure the test images."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from PIL import Image

from mitune.backbones import AdapterRef, ModelRef
from mitune.datasets.shards import Shards
from mitune.pipelines.evaluate.images import evaluation_source
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.shared.measuring import Measuring, measured
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.shards import check_shards


def evaluate(
    test_images: Shards,
    test_prompts: pd.DataFrame,
    model: ModelRef,
    adapter: AdapterRef,
    settings: Evaluation,
    metrics: Metrics,
    resources: Resources,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores per image, and the first pictures of each prompt as PNG."""
    source = evaluation_source(model, adapter)
    check_shards(test_images, test_prompts, settings.generation, source)
    names = list(test_prompts["prompt_id"])
    kept = dict.fromkeys(names, settings.keep_pictures)
    size = settings.images_per_prompt
    tables, samples = [], []
    work = Measuring(test_images, size, kept, model, metrics, resources)
    for _, table, pictures in measured(work, names):
        tables.append(table)
        samples.append(table.head(len(pictures)).assign(png=[_png(p) for p in pictures]))
    return pd.concat(tables, ignore_index=True), pd.concat(samples, ignore_index=True)


def _png(picture: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()
