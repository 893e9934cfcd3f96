from pathlib import Path

import pandas as pd
import torch

from mitune.backbones import AdapterRef, ModelRef
from mitune.backbones.base import Backbone
from mitune.candidates import Generation, Scoring, Source
from mitune.datasets.shards import Shards
from mitune.pipelines.generate.shards import generated

PROMPTS = pd.DataFrame(
    {"prompt_id": ["a", "b", "c"], "category": "color", "prompt": ["a star", "a cross", "a circle"]}
)


def test_full_memory_halves_the_batch_and_changes_no_image(
    backbone: Backbone, model: ModelRef, tmp_path: Path
) -> None:
    source = Source(model, AdapterRef(None), "round_1")
    settings = Generation(images_per_prompt=2, steps=2, scoring=Scoring())
    finished = Shards(tmp_path)
    expected = dict(generated(backbone, source, PROMPTS, settings, 6, finished))
    sizes = []

    def full(module, arguments) -> None:  # type: ignore[no-untyped-def]
        sizes.append(len(arguments[0]))
        if len(arguments[0]) > 2:  # both branches of one image
            raise torch.OutOfMemoryError("CUDA out of memory.")

    backbone.network.register_forward_pre_hook(full)
    found = dict(generated(backbone, source, PROMPTS, settings, 6, finished))
    assert sizes[:3] == [12, 6, 2] and list(found) == ["a", "b", "c"]
    for name, table in found.items():
        assert list(table["seed"]) == list(expected[name]["seed"])
        pd.testing.assert_series_equal(table["path"], expected[name]["path"], rtol=1e-3)
