"""The fine-tuning set and its controls."""

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError

from mitune.composition import Composition, LowestK, RandomK, TopK


def candidates(prompts=("a", "b"), size=6, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "prompt_id": np.repeat(prompts, size),
            "image_index": np.tile(np.arange(size), len(prompts)),
            "mi": rng.normal(size=size * len(prompts)),
        }
    )


@pytest.mark.parametrize(("strategy", "ascending"), [(TopK, False), (LowestK, True)])
def test_extremes_of_each_prompt(strategy, ascending):
    frame = candidates()
    chosen = strategy(score="mi", k=2)(frame.sample(frac=1, random_state=1))
    for prompt, rows in chosen.groupby("prompt_id"):
        expected = frame[frame["prompt_id"] == prompt].sort_values("mi", ascending=ascending)
        assert rows["image_index"].tolist() == expected["image_index"].tolist()[:2]
        assert rows["rank"].tolist() == [1, 2]
    assert len(chosen) == 4


def test_ties_go_to_the_lower_image_index():
    frame = candidates().assign(mi=1.0).iloc[::-1]
    assert TopK(score="mi")(frame)["image_index"].tolist() == [0, 0]
    assert LowestK(score="mi")(frame)["image_index"].tolist() == [0, 0]


def picks(frame, strategy, prompt):
    chosen = strategy(frame)
    return chosen[chosen["prompt_id"] == prompt]["image_index"].tolist()


def test_random_picks_depend_on_seed_and_prompt_alone():
    frame = candidates(("a", "b", "c"), 40)
    strategy = RandomK(k=3, seed=1)
    reference = picks(frame, strategy, "b")
    assert len(set(reference)) == 3
    assert picks(frame[frame["prompt_id"] == "b"], strategy, "b") == reference
    assert picks(frame.sample(frac=1, random_state=2), strategy, "b") == reference
    assert picks(pd.concat([frame.iloc[40:], frame.iloc[:40]]), strategy, "b") == reference
    assert picks(frame, strategy, "a") != reference
    assert picks(frame, RandomK(k=3, seed=2), "b") != reference
    assert list(strategy(frame).columns) == [*frame.columns, "rank"]


def test_random_picks_are_uniform():
    counts = np.zeros(6)
    for seed in range(400):
        counts[RandomK(k=2, seed=seed)(candidates(("a",)))["image_index"]] += 1
    assert np.abs(counts / 400 - 1 / 3).max() < 5 * np.sqrt(2 / 9 / 400)


@pytest.mark.parametrize(
    "strategy", [TopK(score="mi", k=7), LowestK(score="mi", k=7), RandomK(k=7)]
)
def test_too_large_a_k_names_both_numbers(strategy):
    frame = candidates().drop(index=[0])
    with pytest.raises(ValueError, match=r"^k: 7 exceeds the 5 candidates of prompt 'a'$"):
        strategy(frame)


@pytest.mark.parametrize("strategy", [TopK, LowestK])
def test_scores_must_exist_and_be_numbers(strategy):
    with pytest.raises(ValueError, match=r"^score: no column 'hps'; available: mi$"):
        strategy(score="hps")(candidates())
    frame = candidates()
    frame.loc[8, "mi"] = np.nan
    with pytest.raises(ValueError, match="NaN for 1 candidates, first 'b'"):
        strategy(score="mi")(frame)
    with pytest.raises(ValueError, match="no rows"):
        strategy(score="mi")(frame.iloc[:0])


def test_the_input_is_left_alone():
    frame = candidates()
    before = frame.copy()
    for strategy in (TopK(score="mi"), LowestK(score="mi"), RandomK()):
        strategy(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_registry():
    registry = TypeAdapter(Composition)
    assert registry.validate_python({"kind": "top_k", "score": "mi", "k": 2}) == TopK(
        score="mi", k=2
    )
    assert isinstance(registry.validate_python({"kind": "random_k"}), RandomK)
    for wrong in (
        {"kind": "topk", "score": "mi"},
        {"kind": "top_k"},
        {"kind": "lowest_k", "score": "mi", "k": 0},
        {"kind": "random_k", "score": "mi"},
    ):
        with pytest.raises(ValidationError):
            registry.validate_python(wrong)
