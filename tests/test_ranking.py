"""Orders, rank agreement and intervals, against scipy and the published simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, mannwhitneyu

from mitune.ranking import (
    auc,
    kendall_tau,
    order,
    representative_tau,
    representatives,
    summarise_tau,
)


def frame(scores, judge=None, prompt="p"):
    columns = {"prompt_id": prompt, "image_index": range(len(scores)), "mi": scores}
    return pd.DataFrame(columns if judge is None else columns | {"judge": judge})


def test_order_is_stable_and_keeps_prompts_apart():
    candidates = pd.concat([frame([1.0, 3.0, 3.0, 2.0], prompt="b"), frame([5.0, 4.0], prompt="a")])
    shuffled = candidates.sample(frac=1, random_state=0).sort_values("prompt_id", ascending=False)
    ordered = order(shuffled, "mi")
    assert ordered["image_index"].tolist() == [1, 2, 3, 0, 0, 1]
    assert ordered["prompt_id"].tolist() == ["b"] * 4 + ["a"] * 2
    assert ordered["rank"].tolist() == [1, 2, 3, 4, 1, 2]
    assert order(shuffled, "mi", descending=False)["image_index"].tolist() == [0, 3, 1, 2, 1, 0]


@pytest.mark.parametrize(("size", "ranks"), [(50, [1, 25, 50]), (3, [1, 2, 3]), (5, [1, 3, 5])])
def test_representatives(size, ranks):
    scores = np.random.default_rng(0).permutation(size).astype(float)
    chosen = representatives(frame(scores), "mi")
    assert chosen["rank"].tolist() == ranks
    assert chosen["representative"].tolist() == ["first", "middle", "last"]
    assert chosen["mi"].tolist() == [size - rank for rank in ranks]


def test_tau_is_scipys_and_undefined_is_counted():
    rng = np.random.default_rng(1)
    candidates = pd.concat(
        [
            frame(rng.normal(size=9), rng.integers(0, 3, 9).astype(float), "ties"),
            frame([3.0, 2.0, 1.0], [3.0, 2.0, 1.0], "same"),
            frame([3.0, 2.0, 1.0], [1.0, 1.0, 1.0], "constant"),
            frame([3.0, 2.0, 1.0], [1.0, np.nan, 2.0], "missing"),
            frame([3.0], [1.0], "single"),
        ]
    )
    taus = kendall_tau(candidates, "mi", "judge")
    rows = candidates[candidates["prompt_id"] == "ties"]
    assert taus["ties"] == kendalltau(rows["mi"], rows["judge"]).statistic
    assert taus["same"] == pytest.approx(1)
    assert taus[["constant", "missing", "single"]].isna().all()
    summary = summarise_tau(taus)
    assert (summary.undefined, summary.prompts) == (3, 5)
    assert summary.mean == pytest.approx((taus["ties"] + 1) / 5)
    assert summary.mean_defined == pytest.approx((taus["ties"] + 1) / 2)


@pytest.mark.parametrize(
    ("judge", "tau"),
    [
        ([3.0, 2.0, 1.0], 1.0),
        ([2.0, 3.0, 1.0], 1 / 3),
        ([1.0, 2.0, 3.0], -1.0),
        ([1.0, 1.0, 0.0], 0.8165),
        ([0.0, 0.0, 0.0], np.nan),
    ],
)
def test_values_of_three_representatives(judge, tau):
    found = representative_tau(frame([9.0, 5.0, 1.0], judge), "mi", "judge")
    assert found["p"] == pytest.approx(tau, abs=1e-4, nan_ok=True)


@pytest.mark.parametrize(("rho", "three", "full"), [(0.3, 0.47, 0.20), (0.6, 0.83, 0.41)])
def test_published_simulation(rho, three, full):
    """metrics E: bivariate normal scores, M = 50."""
    prompts, rng = 1500, np.random.default_rng(0)
    score, noise = rng.normal(size=(2, prompts, 50))
    judge = rho * score + np.sqrt(1 - rho**2) * noise
    candidates = pd.DataFrame(
        {
            "prompt_id": np.repeat(np.arange(prompts), 50),
            "image_index": np.tile(np.arange(50), prompts),
            "mi": score.ravel(),
            "judge": judge.ravel(),
        }
    )
    assert representative_tau(candidates, "mi", "judge").mean() == pytest.approx(three, abs=0.04)
    some = candidates[candidates["prompt_id"] < 500]
    assert kendall_tau(some, "mi", "judge").mean() == pytest.approx(full, abs=0.015)


def test_auc_is_mann_whitney_and_extends_to_continuous_judges():
    rng = np.random.default_rng(2)
    score, right = rng.integers(0, 6, 40).astype(float), rng.integers(0, 2, 40)
    u = mannwhitneyu(score[right == 1], score[right == 0]).statistic
    expected = u / ((right == 1).sum() * (right == 0).sum())
    assert auc(frame(score, right), "mi", "judge")["p"] == pytest.approx(expected)
    continuous = rng.normal(size=30)
    assert auc(frame(continuous**3, continuous), "mi", "judge")["p"] == 1
    assert auc(frame(-continuous, continuous), "mi", "judge")["p"] == 0
    assert np.isnan(auc(frame(score, np.ones(40)), "mi", "judge")["p"])


def test_errors():
    with pytest.raises(ValueError, match=r"no column 'hps'; available: mi"):
        order(frame([1.0]), "hps")
    with pytest.raises(ValueError, match="NaN for 1 candidates, first 'p'"):
        order(frame([1.0, np.nan]), "mi")
    with pytest.raises(ValueError, match="fewer than three"):
        representatives(frame([1.0, 2.0]), "mi")
    with pytest.raises(ValueError, match="'image_index' is missing"):
        order(frame([1.0]).drop(columns="image_index"), "mi")
