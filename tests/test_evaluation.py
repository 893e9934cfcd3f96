"""A model's test images and their scores."""

import numpy as np
import pytest

from mitune.backbones import AdapterRef, ModelRef
from mitune.backbones.base import Backbone
from mitune.candidates import Generation, Scoring, Source, generate
from mitune.evaluation import measure
from mitune.metrics import MetricError
from tests.pipelines.test_shards import PROMPTS


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_refused_and_not_left_out_of_a_mean(
    bad: float, shared_backbone: Backbone, model: ModelRef
) -> None:
    settings = Generation(images_per_prompt=2, steps=1, scoring=Scoring(path=None))
    source = Source(model, AdapterRef(None), "evaluation")
    (_, table), *_ = generate(shared_backbone, source, PROMPTS.head(1), settings, 2)

    def good(images, prompts):  # type: ignore[no-untyped-def]
        return np.arange(len(images), dtype=np.float64)

    def once(images, prompts):  # type: ignore[no-untyped-def]
        return np.array([0.5, bad])

    measured, pictures = measure(shared_backbone, table, {"good": good})
    assert list(measured["good"]) == [0, 1] and len(pictures) == 2
    with pytest.raises(MetricError, match=r"^a, image 1: once is not finite \(and of 0 more"):
        measure(shared_backbone, table, {"good": good, "once": once})
