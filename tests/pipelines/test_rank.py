import numpy as np
import pandas as pd

from mitune.pipelines.rank.nodes import analyse, best_first
from mitune.pipelines.shared.metrics import Metrics


def test_pictures_are_ordered_with_their_scores() -> None:
    table = pd.DataFrame(
        {"prompt_id": "p", "image_index": range(4), "information": [0.5, 3.0, -1.0, 2.0]}
    )
    pictures = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1).repeat(3, axis=3)
    ranked, shown = best_first(table, pictures, "information")
    assert list(ranked["image_index"]) == [1, 3, 0, 2]
    assert list(shown[:, 0, 0, 0]) == [1, 3, 0, 2]


def test_metrics_are_compared_with_the_estimates_and_with_each_other() -> None:
    rng = np.random.default_rng(0)
    good = rng.normal(size=160)
    table = pd.DataFrame(
        {
            "prompt_id": np.repeat([f"p{i}" for i in range(20)], 8),
            "image_index": np.tile(np.arange(8), 20),
            "information": good,
            "judge": (good > 0).astype(float),
            "clip": -good,
        }
    )
    settings = {
        "judge": {"kind": "judge", "path": "judge.safetensors"},
        "clip": {"kind": "clip_score", "path": "clip"},
    }
    found, _, _ = analyse(table, Metrics.model_validate({"scorers": settings}))
    areas = found.set_index(["estimate", "metric"])["auc"]
    assert set(areas.index) == {
        ("information", "judge"),
        ("information", "clip"),
        ("clip", "judge"),
        ("judge", "clip"),
    }
    assert areas["information", "judge"] == 1.0
    assert areas["information", "clip"] == areas["clip", "judge"] == 0.0
    assert 0 < areas["judge", "clip"] < 0.5  # equal verdicts count one half
