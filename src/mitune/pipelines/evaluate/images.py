"""Generate on the test prompts: apart from measuring, so that a new metric paints nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from mitune.backbones import AdapterRef, ModelRef
from mitune.candidates import Source
from mitune.datasets.shards import Shards
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
    finished: Shards,
    settings: Evaluation,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame]]:
    """Yield one shard per test prompt that is not finished yet."""
    source = evaluation_source(model, adapter)
    yield from make_shards(test_prompts, source, finished, settings.generation, resources)
