"""Measure the test images."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from mitune.backbones import AdapterRef, ModelRef
from mitune.candidates import shard_keys
from mitune.datasets.shards import Shards
from mitune.evaluation import measure
from mitune.pipelines.evaluate.images import tested
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.models import opened
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.shards import read_shards


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
    scorers = metrics.load(resources.torch_device)
    keys = shard_keys(
        tested(model, adapter, settings.generation), settings.generation, test_prompts
    )
    shards = read_shards(test_images, keys, settings.generation)
    tables, samples = [], []
    with opened(model, AdapterRef(None), resources) as backbone:
        for shard in tqdm(shards, total=len(test_prompts), desc="measure", unit="prompt"):
            table, pictures = measure(backbone, shard, scorers)
            tables.append(table)
            first = table.head(settings.keep_pictures)
            samples.append(first.assign(png=[_png(p) for p in pictures[: len(first)]]))
    return pd.concat(tables, ignore_index=True), pd.concat(samples, ignore_index=True)


def _png(picture: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()
