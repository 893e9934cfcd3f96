import numpy as np
import pandas as pd
import pytest

from mitune.agreement import agreement, replay
from mitune.comparison import paired, summarise


def _measurements(prompts: int = 40, images: int = 9) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    good = rng.normal(size=(prompts, images))
    return pd.DataFrame(
        {
            "prompt_id": np.repeat([f"p{i}" for i in range(prompts)], images),
            "image_index": np.tile(np.arange(images), prompts),
            # Between prompts the score says nothing: agreement must be found within them.
            "right": (good + 100 * rng.normal(size=(prompts, 1))).ravel(),
            "wrong": -good.ravel(),
            "noise": rng.normal(size=prompts * images),
            "judge": (good > 0.5).astype(float).ravel(),
        }
    )


def test_agreement_is_within_prompts() -> None:
    table = agreement(_measurements(), ["right", "wrong", "noise"], ["judge"]).set_index("estimate")
    assert table.loc["right", "auc"] == 1.0
    assert table.loc["wrong", "auc"] == 0.0
    assert table.loc["noise", "auc_low"] < 0.5 < table.loc["noise", "auc_high"]
    assert table.loc["right", "best"] > 0.95 and table.loc["right", "lowest"] == 0.0
    assert table.loc["right", "tau_low"] > 0.4
    assert table.loc["right", "tau3"] > table.loc["right", "tau"]


def test_a_constant_metric_counts_as_no_agreement_and_is_reported() -> None:
    measurements = _measurements(prompts=4)
    measurements["judge"] = (measurements["image_index"] < 4).astype(float)
    measurements.loc[measurements["prompt_id"] == "p0", "judge"] = 0.0
    row = agreement(measurements, ["right"], ["judge"]).iloc[0]
    assert row["undefined"] == 1 and row["auc_prompts"] == 3
    assert row["tau"] == pytest.approx(row["tau_defined"] * 3 / 4) and row["tau"] != 0


def test_a_metric_that_is_constant_everywhere_has_no_auc() -> None:
    measurements = _measurements(prompts=4).assign(judge=0.0)
    row = agreement(measurements, ["right"], ["judge"]).iloc[0]
    assert np.isnan(row["auc"]) and row["auc_prompts"] == 0 and row["undefined"] == 4
    assert row["tau"] == 0.0


def test_replay_sums_what_is_inside_the_window() -> None:
    increments = np.arange(12.0).reshape(2, 6)
    shard = pd.DataFrame(
        {
            "prompt_id": "p",
            "image_index": [0, 1],
            "information_increments": list(increments),
        }
    )
    shard.attrs = {
        "log_snr": {"information": [-5.0, -3.0, -1.0, 1.0, 3.0, 5.0]},
        "evaluations_per_increment": {"information": 4.0},
    }
    variants = {v.name: v for v in replay({"p": shard}, [(-4.0, 4.0)], [2, 4, 5])}
    assert set(variants) == {"information [-4, 4] 2", "information [-4, 4] 4"}
    whole = variants["information [-4, 4] 4"]
    np.testing.assert_allclose(whole.scores[whole.name], increments[:, 1:5].sum(1))
    assert whole.facts["evaluations"] == 16
    half = variants["information [-4, 4] 2"]
    np.testing.assert_allclose(half.scores[half.name], increments[:, [2, 4]].sum(1) * 2)


def _evaluation(shift: float) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    difficulty = rng.normal(size=(30, 1)) * 5
    return pd.DataFrame(
        {
            "prompt_id": np.repeat([f"p{i}" for i in range(30)], 4),
            "category": np.repeat(["a", "b"], 60),
            "judge": (difficulty + 0.01 * rng.normal(size=(30, 4)) + shift).ravel(),
        }
    )


def test_differences_are_paired_by_prompt() -> None:
    """Prompts differ far more than models: only the paired interval can see the shift."""
    tables = {"base": _evaluation(0.0), "tuned": _evaluation(0.3)}
    summary = summarise(tables, ["judge"], "base").set_index(["model", "category"])
    row = summary.loc[("tuned", "all")]
    assert row["difference"] == pytest.approx(0.3)
    assert row["difference_high"] - row["difference_low"] < 0.05 < row["high"] - row["low"]
    assert row["prompts"] == 30 and row["images"] == 120
    assert summary.loc[("tuned", "a"), "prompts"] == 15
    assert summary.loc[("base", "all"), "difference"] == 0.0
    assert paired(tables, "tuned", "base", "judge").mean == pytest.approx(0.3)
