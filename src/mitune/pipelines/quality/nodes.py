"""Embed test images and references; compare them; count wins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TypeAlias

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from mitune import figures
from mitune.backbones import AdapterRef, Backbone, ModelRef
from mitune.candidates import latents_of, shard_keys
from mitune.datasets.shards import Shards
from mitune.errors import UserError
from mitune.metrics.features import Features, Moments, Pictures, embed
from mitune.metrics.win_rate import win_rate
from mitune.pipelines.evaluate.images import source_of
from mitune.pipelines.evaluate.metrics import Metrics
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.generate.shards import read_shards
from mitune.pipelines.models import opened
from mitune.pipelines.quality.parameters import QualitySettings, embedder_name
from mitune.pipelines.report.nodes import label
from mitune.pipelines.resources import Resources

CONTROL = "reference again"
_ByEmbedder: TypeAlias = Mapping[str, Features | Moments]


def embed_references(
    test_prompts: pd.DataFrame,
    evaluation: Evaluation,
    settings: QualitySettings,
    resources: Resources,
) -> dict[str, Features]:
    """Features of the reference by embedder, and those of its control as `control-...`."""
    device, embedders = resources.torch_device, settings.embedders
    found = embed(settings.reference.pictures(test_prompts), embedders, device)
    control = list(settings.reference.control(test_prompts, evaluation.images_per_prompt))
    if control:
        spare = embed(control, embedders, device)
        found |= {f"control-{name}": features for name, features in spare.items()}
    return found


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
    keys = shard_keys(source_of(model, adapter), evaluation.generation, test_prompts)
    shards = read_shards(test_images, keys, evaluation.generation)
    shown = tqdm(shards, total=len(test_prompts), desc="embed", unit="prompt")
    with opened(model, AdapterRef(None), resources) as backbone:
        pictures = _decoded(backbone, shown)
        return embed(pictures, settings.embedders, resources.torch_device)


def _decoded(backbone: Backbone, shards: Iterable[pd.DataFrame]) -> Iterator[Pictures]:
    for shard in shards:
        latents = latents_of(shard, shard.attrs["latent_shape"])
        yield backbone.decode(latents), np.array(shard["prompt_id"], dtype=np.str_)


def compare(
    models: tuple[str, ...],
) -> Callable[..., tuple[pd.DataFrame, Figure]]:
    """Node function: one row per model and measure, and their figure."""

    def compare_models(
        settings: QualitySettings, reference: _ByEmbedder, *every: _ByEmbedder
    ) -> tuple[pd.DataFrame, Figure]:
        sets = dict(zip(models, every, strict=True))
        rows = []
        for measure, quality in settings.measures.items():
            name = embedder_name(quality.embedder)
            wanted = _seen_by(name, "reference", reference)
            found = {model: _seen_by(name, model, features) for model, features in sets.items()}
            if f"control-{name}" in reference:
                found[CONTROL] = reference[f"control-{name}"]
            for model, features in found.items():
                distance = quality.compare(features, wanted)
                rows.append({"model": model, "distance": measure, **asdict(distance)})
        table = pd.DataFrame(rows)
        return table, figures.quality(table, {model: label(model) for model in models}, CONTROL)

    return compare_models


def _seen_by(embedder: str, owner: str, features: _ByEmbedder) -> Features | Moments:
    if embedder not in features:
        raise UserError(
            f"{owner}: its pictures were not embedded with {embedder}; rerun pipeline quality"
        )
    return features[embedder]


def count_wins(models: tuple[str, ...]) -> Callable[..., pd.DataFrame]:
    """Node function: every model against the first one, by metric; a prompt is a trial."""

    def count_wins_of_models(metrics: Metrics, *evaluations: pd.DataFrame) -> pd.DataFrame:
        base, *others = evaluations
        rows = [
            {"model": model, "other": models[0], "metric": metric, **asdict(found)}
            for model, evaluation in zip(models[1:], others, strict=True)
            for metric in metrics.scorers
            for found in (win_rate(evaluation, base, metric),)
        ]
        return pd.DataFrame(rows)

    return count_wins_of_models
