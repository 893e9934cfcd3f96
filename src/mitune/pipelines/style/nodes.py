"""Read pairs of a style; compare what models paint for their prompts with the edited pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mitune.arm import Arm
from mitune.backbones import AdapterRef, ModelRef
from mitune.datasets.workspace import Workspace
from mitune.example_sets import Example
from mitune.example_sets.index import digest, index
from mitune.example_sets.pictures import squared
from mitune.figures.quality import quality as quality_figure
from mitune.metrics.distances.jackknife import Replicated, replicated
from mitune.metrics.features import Features, Pictures, embed
from mitune.metrics.quality import Quality
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.finetune_on.nodes import encode, for_objective
from mitune.pipelines.quality.parameters import QualitySettings, embedder_name
from mitune.pipelines.shared.models import opened
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.style.parameters import Restyle
from mitune.training.finetuning import Finetuning

CONTROL = "edited again"
_AT_ONCE = 64


def read_pairs(settings: Restyle, prompts: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All pairs, and the prompts that models paint. No model is opened."""
    examples = index(settings.read(prompts), settings.repeats, settings.most)
    painted = examples[["prompt_id", "category", "prompt"]].drop_duplicates("prompt_id")
    return examples, painted.head(settings.prompts or len(painted)).reset_index(drop=True)


def encode_pairs(
    settings: Restyle,
    prompts: pd.DataFrame,
    examples: pd.DataFrame,
    model: ModelRef,
    workspace: Workspace,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame | Path]]:
    """Latents of all pictures, part by part."""
    yield from encode(settings.read(prompts), examples, model, workspace, resources)


def choose_rows(examples: pd.DataFrame, training: Finetuning) -> pd.DataFrame:
    """What an arm's objective eats of the pairs: SFT the edited pictures, a preference loss all."""
    return for_objective(examples, training)


def embed_edited(
    settings: Restyle,
    prompts: pd.DataFrame,
    examples: pd.DataFrame,
    painted: pd.DataFrame,
    model: ModelRef,
    evaluation: Evaluation,
    measures: QualitySettings,
    resources: Resources,
) -> dict[str, Features]:
    """Features of the edited pictures by embedder; in a world, those of other scenes as control."""
    embedders, device = measures.embedders, resources.torch_device
    with opened(model, AdapterRef(None), resources) as backbone:
        size = backbone.image_size
    edited = _edited(settings.read(prompts), examples, set(painted["prompt_id"]), size)
    features = embed(edited, embedders, device)
    if settings.folder is None:
        again = embed(_again(settings, painted, evaluation.images_per_prompt), embedders, device)
        features |= {f"control-{name}": found for name, found in again.items()}
    return features


def _edited(
    source: Iterator[Example], examples: pd.DataFrame, painted: set[str], size: int
) -> Iterator[Pictures]:
    """Winners of the set, each once per prompt, as the model is shown them."""
    winners = examples[(examples["role"] == "winner") & examples["prompt_id"].isin(painted)]
    units = winners.groupby("picture")["prompt_id"].unique().to_dict()
    pictures: list[NDArray[np.uint8]] = []
    names: list[str] = []
    for example in source:
        picture = example.pictures["winner"]
        for unit in units.pop(digest(picture.content), ()):
            pictures.append(squared(picture, size))
            names.append(unit)
        if len(pictures) >= _AT_ONCE:
            yield np.stack(pictures), np.array(names, dtype=np.str_)
            pictures, names = [], []
    if pictures:
        yield np.stack(pictures), np.array(names, dtype=np.str_)


def _again(settings: Restyle, painted: pd.DataFrame, count: int) -> Iterator[Pictures]:
    pictures = settings.world.others(painted, count)
    for name in painted["prompt_id"]:
        yield np.stack([next(pictures) for _ in range(count)]), np.full(count, name)


def compare_styles(
    arms: tuple[Arm, ...],
) -> Callable[..., tuple[pd.DataFrame, pd.DataFrame, Figure]]:
    """Node function: distances to the edited pictures, all differences between arms, the figure."""

    def compare_style_arms(
        settings: Restyle,
        measures: QualitySettings,
        edited: Mapping[str, Features],
        *every: Mapping[str, Features],
    ) -> tuple[pd.DataFrame, pd.DataFrame, Figure]:
        sets = dict(zip((arm.name for arm in arms), every, strict=True))
        rows, contrasts = [], []
        for measure, quality in measures.measures.items():
            name = embedder_name(quality.embedder)
            compared = {arm: features[name] for arm, features in sets.items()}
            if f"control-{name}" in edited:
                compared[CONTROL] = edited[f"control-{name}"]
            found = {
                model: replicated(_distance(quality), features, edited[name], settings.groups)
                for model, features in compared.items()
            }
            for model, value in found.items():
                counts = {"n": compared[model].n, "m": edited[name].n}
                rows.append({"model": model, "distance": measure, **counts, **_interval(value)})
            contrasts += [
                {"first": second, "second": first, "distance": measure, **_interval(difference)}
                for first, second in combinations(sets, 2)
                for difference in (found[second] - found[first],)
            ]
        table = pd.DataFrame(rows)
        return table, pd.DataFrame(contrasts), quality_figure(table, arms, CONTROL)

    return compare_style_arms


def _distance(quality: Quality) -> Callable[[Features, Features], float]:
    return lambda model, reference: quality.compare(model, reference).value


def _interval(found: Replicated) -> dict[str, float]:
    return {
        "value": found.value,
        "low": found.value - found.reach,
        "high": found.value + found.reach,
    }
