import sys
from pathlib import Path

import pandas as pd
import torch

from mitune.backbones import AdapterRef, ModelRef
from mitune.backbones.base import Backbone
from mitune.candidates import Generation, Scoring, Source, generate
from mitune.datasets.shards import Shards
from mitune.estimators import ForwardScore, InformationDecomposition
from mitune.pipelines.shared.shards import generated
from mitune.pipelines.shared.sources import painting_code

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


def test_all_code_that_runs_to_paint_and_score_is_of_the_key(
    backbone: Backbone, model: ModelRef
) -> None:
    scoring = Scoring(forward=ForwardScore(draws=2), information=InformationDecomposition(draws=2))
    settings = Generation(images_per_prompt=1, steps=2, scoring=scoring)
    source = Source(model, AdapterRef(None), "round_1")
    ran: set[str] = set()
    sys.setprofile(lambda frame, event, argument: ran.add(frame.f_globals.get("__name__", "")))
    try:
        assert len(list(generate(backbone, source, PROMPTS, settings, 3))) == 3
    finally:
        sys.setprofile(None)
    ours = {name for name in ran if name.startswith("mitune.")}
    assert len(ours) > 8
    assert ours <= set(painting_code(settings, model, AdapterRef(None)))
    assert "mitune.training.adapters" in painting_code(settings, model, AdapterRef("there"))
