"""Generate on the test prompts: apart from measuring, so that a new metric paints nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from mitune.backbones import AdapterRef, ModelRef
from mitune.candidates import Source
from mitune.datasets.workspace import Workspace
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.shards import make_shards


def evaluation_source(model: ModelRef, adapter: AdapterRef) -> Source:
    """One name for all models: the seeds are shared, so differences are paired."""
    return Source(model, adapter, "evaluation")


def generate_test_images(
    test_prompts: pd.DataFrame,
    model: ModelRef,
    adapter: AdapterRef,
    workspace: Workspace,
    settings: Evaluation,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame | Path]]:
    """Shards of all test prompts, made where they are not finished yet."""
    source = evaluation_source(model, adapter)
    yield from make_shards(test_prompts, source, workspace, settings.generation, resources)
