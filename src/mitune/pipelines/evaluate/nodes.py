"""Generate on the test prompts and score."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from mitune.backbones import AdapterRef, ModelRef
from mitune.candidates import Source, generate
from mitune.evaluation import measure
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.models import opened
from mitune.pipelines.parameters import Metrics, Resources


def evaluate(
    test_prompts: pd.DataFrame,
    model: ModelRef,
    adapter: AdapterRef,
    settings: Evaluation,
    metrics: Metrics,
    resources: Resources,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores per image, and the first pictures of each prompt as PNG."""
    scorers = {name: config.load() for name, config in metrics.scorers.items()}
    # One name for all models: the seeds are shared, so differences are paired.
    source = Source(model, adapter, "evaluation")
    tables, samples = [], []
    with opened(model, adapter, resources) as backbone:
        shards = generate(backbone, source, test_prompts, settings, resources.batch_size)
        for _, shard in tqdm(shards, total=len(test_prompts), desc="evaluate", unit="prompt"):
            table, pictures = measure(backbone, shard, scorers)
            tables.append(table)
            first = table.head(settings.keep_pictures)
            samples.append(first.assign(png=[_png(p) for p in pictures[: len(first)]]))
    return pd.concat(tables, ignore_index=True), pd.concat(samples, ignore_index=True)


def _png(picture: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()
