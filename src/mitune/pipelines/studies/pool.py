"""Candidates for all arms: those that are there, and as many more as the studies ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from mitune.backbones import AdapterRef, ModelRef
from mitune.candidates import Generation
from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.pipelines.generate.nodes import collect_scores, generate_candidates
from mitune.pipelines.shared.resources import Resources


def paint_more(
    prompts: pd.DataFrame,
    model: ModelRef,
    image_source: ModelRef | None,
    adapter: AdapterRef,
    workspace: Workspace,
    settings: Generation,
    images_per_prompt: int,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame | Path]]:
    """As `generate_candidates`: the first ones are those of the main job."""
    more = _more(settings, images_per_prompt)
    given = (prompts, model, image_source, adapter, workspace, more, resources)
    yield from generate_candidates(*given)


def collect_more(
    candidates: Shards,
    prompts: pd.DataFrame,
    model: ModelRef,
    image_source: ModelRef | None,
    adapter: AdapterRef,
    settings: Generation,
    images_per_prompt: int,
) -> pd.DataFrame:
    """As `collect_scores`."""
    more = _more(settings, images_per_prompt)
    return collect_scores(candidates, prompts, model, image_source, adapter, more)


def _more(settings: Generation, images_per_prompt: int) -> Generation:
    return settings.model_copy(update={"images_per_prompt": images_per_prompt})
