"""Embed test images and references: apart from comparing, so that a figure embeds nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from tqdm import tqdm

from mitune.backbones import AdapterRef, Backbone, ModelRef
from mitune.candidates import latents_of
from mitune.datasets.shards import Shards
from mitune.metrics.features import Features, Pictures, embed
from mitune.pipelines.evaluate.images import evaluation_source
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.quality.parameters import QualitySettings
from mitune.pipelines.shared.models import opened
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.shards import read_shards


def embed_references(
    test_prompts: pd.DataFrame,
    evaluation: Evaluation,
    settings: QualitySettings,
    resources: Resources,
) -> dict[str, Features]:
    """Features of the reference by embedder, and those of its control as `control-...`."""
    device, embedders = resources.torch_device, settings.embedders
    embedded = embed(settings.reference.pictures(test_prompts), embedders, device)
    control = list(settings.reference.control(test_prompts, evaluation.images_per_prompt))
    if control:
        spare = embed(control, embedders, device)
        embedded |= {f"control-{name}": features for name, features in spare.items()}
    return embedded


def embed_test_images(
    test_images: Shards,
    test_prompts: pd.DataFrame,
    model: ModelRef,
    adapter: AdapterRef,
    evaluation: Evaluation,
    settings: QualitySettings,
    resources: Resources,
) -> dict[str, Features]:
    """Features of a model's test images by embedder; a prompt is a unit."""
    source = evaluation_source(model, adapter)
    shards = read_shards(test_images, test_prompts, evaluation.generation, source)
    shown = tqdm(shards, total=len(test_prompts), desc="embed", unit="prompt")
    with opened(model, AdapterRef(None), resources) as backbone:
        pictures = _decoded(backbone, shown)
        return embed(pictures, settings.embedders, resources.torch_device)


def _decoded(backbone: Backbone, shards: Iterable[pd.DataFrame]) -> Iterator[Pictures]:
    for shard in shards:
        yield backbone.decode(latents_of(shard)), np.array(shard["prompt_id"], dtype=np.str_)
