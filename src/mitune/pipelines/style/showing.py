"""Pictures of every arm beside original and edited: apart from comparing, which reads features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mitune.arm import Arm
from mitune.backbones import AdapterRef, Backbone, ModelRef
from mitune.candidates import latents_of
from mitune.datasets.shards import Shards
from mitune.example_sets.pictures import squared
from mitune.figures.picture_grid import picture_grid
from mitune.pipelines.shared.models import opened
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.style.parameters import Restyle

_ROWS = 6


def show_styles(arms: tuple[Arm, ...]) -> Callable[..., Figure]:
    """Node function: the first prompts, a pair of each and the first picture of every arm."""

    def show_style_arms(
        settings: Restyle,
        prompts: pd.DataFrame,
        painted: pd.DataFrame,
        model: ModelRef,
        resources: Resources,
        *test_images: Shards,
    ) -> Figure:
        shown = painted.head(_ROWS)
        with opened(model, AdapterRef(None), resources) as backbone:
            pairs = _pairs(settings, prompts, set(shown["prompt"]), backbone.image_size)
            rows = [
                (text, [*pairs[text], *(_first(backbone, shards[name]) for shards in test_images)])
                for name, text in zip(shown["prompt_id"], shown["prompt"], strict=True)
            ]
        return picture_grid(["original", "edited", *(arm.label for arm in arms)], rows)

    return show_style_arms


def _pairs(
    settings: Restyle, prompts: pd.DataFrame, wanted: set[str], size: int
) -> dict[str, list[NDArray[np.uint8]]]:
    """The first original and edited picture of each prompt."""
    pairs: dict[str, list[NDArray[np.uint8]]] = {}
    for example in settings.read(prompts):
        if example.prompt in wanted and example.prompt not in pairs:
            pictures = (example.pictures[role] for role in ("loser", "winner"))
            pairs[example.prompt] = [squared(picture, size) for picture in pictures]
        if len(pairs) == len(wanted):
            break
    return pairs


def _first(backbone: Backbone, shard: pd.DataFrame) -> NDArray[np.uint8]:
    first: NDArray[np.uint8] = backbone.decode(latents_of(shard.head(1)))[0]
    return first
