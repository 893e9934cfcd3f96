"""Sets of pairs, labels, negatives and weights from candidates."""

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError

from mitune.composition import Above, Composition, Labelled, Negatives, Pairs, TopK, Weighted
from mitune.composition.score import values
from mitune.errors import UserError


def candidates(**scores: list[float]) -> pd.DataFrame:
    """Two prompts of four candidates each; the scores are those of all eight."""
    return pd.DataFrame(
        {
            "prompt_id": np.repeat(["a", "b"], 4),
            "category": "color",
            "prompt": np.repeat(["a red star", "a blue star"], 4),
            "image_index": np.tile(np.arange(4), 2),
        }
        | scores
    )


#                 a: best 2, 0, 3, worst 1       b: best 3, worst 0
MI = candidates(mi=[3.0, 1.0, 4.0, 2.0, 0.0, 1.0, 2.0, 5.0])


def pairs_of(chosen: pd.DataFrame) -> list[tuple[str, int, int]]:
    """(prompt, winner, loser), which every example must have once."""
    assert chosen["example"].tolist() == np.repeat(np.arange(len(chosen) // 2), 2).tolist()
    assert chosen["role"].tolist() == ["winner", "loser"] * (len(chosen) // 2)
    winners, losers = chosen.iloc[::2], chosen.iloc[1::2]
    assert winners["prompt_id"].tolist() == losers["prompt_id"].tolist()
    return list(
        zip(winners["prompt_id"], winners["image_index"], losers["image_index"], strict=True)
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [("a", 2, 1), ("b", 3, 0)]),
        ({"loser": "next"}, [("a", 2, 0), ("b", 3, 2)]),
        ({"k": 2}, [("a", 2, 1), ("a", 2, 3), ("b", 3, 0), ("b", 3, 1)]),
        ({"k": 2, "loser": "next"}, [("a", 2, 0), ("a", 2, 3), ("b", 3, 2), ("b", 3, 1)]),
        ({"k": 2, "distinct": True}, [("a", 2, 1), ("a", 0, 1), ("b", 3, 0), ("b", 2, 0)]),
        ({"k": 9, "loser": "next", "distinct": True},
         [("a", 2, 0), ("a", 0, 3), ("a", 3, 1), ("b", 3, 2), ("b", 2, 1), ("b", 1, 0)]),
        ({"margin": 4.0}, [("b", 3, 0)]),
        ({"prefer": "low"}, [("a", 1, 2), ("b", 0, 3)]),
    ],
)  # fmt: skip
def test_pairs(settings: dict, expected: list) -> None:
    strategy = Pairs(score="mi", **settings)
    assert pairs_of(strategy(MI)) == expected
    assert sorted(pairs_of(strategy(MI.sample(frac=1, random_state=0)))) == sorted(expected)


def test_what_is_as_good_makes_no_pair() -> None:
    tied = candidates(mi=[1.0, 1.0, 1.0, 1.0, 0.0, 2.0, 2.0, 0.0])
    assert pairs_of(Pairs(score="mi", k=3, loser="next")(tied)) == [("b", 1, 0), ("b", 1, 3)]
    with pytest.raises(UserError, match=r"^margin: no two candidates .* differ in mi by 3; lower"):
        Pairs(score="mi", margin=3.0)(tied)
    with pytest.raises(UserError, match="no two candidates of a prompt differ in mi; lower"):
        Pairs(score="mi")(tied.iloc[:4])


def many(prompts: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    names = [f"p{number}" for number in range(prompts)]
    return pd.DataFrame(
        {
            "prompt_id": np.repeat(names, 6),
            "category": np.repeat(["color", "shape"], 3 * prompts),
            "prompt": np.repeat([f"a star of {name}" for name in names], 6),
            "image_index": np.tile(np.arange(6), prompts),
            "mi": rng.normal(size=6 * prompts),
        }
    )


def test_random_losers_and_coins_hang_on_seed_and_prompt_alone() -> None:
    frame = many()
    strategy = Pairs(score="mi", loser="random")
    whole = pairs_of(strategy(frame))
    alone = strategy(frame[frame["prompt_id"] == "p7"])
    assert pairs_of(alone) == [pair for pair in whole if pair[0] == "p7"]
    assert pairs_of(Pairs(score="mi", loser="random", seed=1)(frame)) != whole
    value = frame.set_index(["prompt_id", "image_index"])["mi"]
    ranks = value.groupby("prompt_id").rank(ascending=False)
    places = np.array([ranks[prompt, loser] for prompt, _, loser in whole])
    assert set(places) == {2, 3, 4, 5, 6} and abs(places.mean() - 4) < 5 * np.sqrt(2 / 200)
    coins = pairs_of(Pairs(score="mi", prefer="random")(frame))
    straight = pairs_of(Pairs(score="mi")(frame))
    kept = np.mean([ours == theirs for ours, theirs in zip(coins, straight, strict=True)])
    assert abs(kept - 0.5) < 5 * 0.5 / np.sqrt(200)
    turned = [(prompt, loser, winner) for prompt, winner, loser in straight]
    assert all(
        pair in {one, other} for pair, one, other in zip(coins, straight, turned, strict=True)
    )


def labels_of(chosen: pd.DataFrame) -> list[tuple[str, int, int]]:
    assert chosen["example"].tolist() == list(range(len(chosen)))
    assert set(chosen["role"]) == {"image"}
    return list(zip(chosen["prompt_id"], chosen["image_index"], chosen["label"], strict=True))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [("a", 2, 1), ("a", 1, 0), ("b", 3, 1), ("b", 0, 0)]),
        ({"prefer": "low"}, [("a", 2, 0), ("a", 1, 1), ("b", 3, 0), ("b", 0, 1)]),
        ({"threshold": 3.5}, [("a", 2, 1), ("a", 1, 0), ("b", 3, 1), ("b", 0, 0)]),
        ({"threshold": {"color": 2.5, "b": 9.0}, "k": None},
         [("a", 2, 1), ("a", 0, 1), ("a", 1, 0), ("a", 3, 0),
          ("b", 0, 0), ("b", 1, 0), ("b", 2, 0), ("b", 3, 0)]),
    ],
)  # fmt: skip
def test_labels(settings: dict, expected: list) -> None:
    assert labels_of(Labelled(score="mi", **settings)(MI)) == expected


def test_labels_of_two_classes_are_needed() -> None:
    with pytest.raises(
        UserError, match=r"^threshold: every picture is disliked; mi goes from 0 to 5"
    ):
        Labelled(score="mi", threshold=5.0)(MI)
    with pytest.raises(UserError, match=r"^threshold: every picture is liked"):
        Labelled(score="mi", threshold=-1.0, k=None)(MI)
    with pytest.raises(UserError, match=r"^score: no two candidates of a prompt differ in mi"):
        Labelled(score="mi", k=2)(MI.assign(mi=1.0))
    with pytest.raises(ValidationError, match="k: null needs a threshold"):
        Labelled(score="mi", k=None)
    # The middle two of b are equal: they say nothing.
    half = candidates(mi=[3.0, 1.0, 4.0, 2.0, 0.0, 1.0, 1.0, 5.0])
    assert len(Labelled(score="mi", k=2)(half)) == 4 + 2


def test_shuffled_labels_are_as_many() -> None:
    frame = many()
    shuffled = Labelled(score="mi", k=2, prefer="random")(frame)
    straight = Labelled(score="mi", k=2)(frame)
    assert (shuffled.groupby("prompt_id")["label"].sum() == 2).all()
    assert (shuffled["image_index"] == straight["image_index"]).all()
    agreeing = (shuffled["label"] == straight["label"]).mean()
    assert abs(agreeing - 0.5) < 5 * 0.5 / np.sqrt(200)


def test_a_negative_picture_has_the_prompt_of_its_positive() -> None:
    worst = Negatives(score="mi")(MI)
    assert worst["image_index"].tolist() == [2, 1, 3, 0]
    assert worst["role"].tolist() == ["positive", "negative"] * 2
    assert worst["prompt"].tolist() == ["a red star"] * 2 + ["a blue star"] * 2
    other = Negatives(score="mi", negative="other_picture")(MI)
    assert other["prompt_id"].tolist() == ["a", "b", "b", "a"]
    assert other["image_index"].tolist() == [2, 3, 3, 2]
    assert other["prompt"].tolist() == ["a red star"] * 2 + ["a blue star"] * 2


def test_a_negative_prompt_has_the_picture_of_its_positive() -> None:
    chosen = Negatives(score="mi", negative="other_prompt")(MI)
    assert chosen["prompt_id"].tolist() == ["a", "a", "b", "b"]
    assert chosen["image_index"].tolist() == [2, 2, 3, 3]
    assert chosen["prompt"].tolist() == ["a red star", "a blue star", "a blue star", "a red star"]
    with pytest.raises(UserError, match=r"^negative: other_prompt needs another prompt"):
        Negatives(score="mi", negative="other_prompt")(MI.iloc[:4])
    with pytest.raises(UserError, match=r"^score: the best and the worst of no prompt differ"):
        Negatives(score="mi")(MI.assign(mi=0.0))


def test_a_similar_prompt_shares_most_words_within_its_category() -> None:
    prompts = {
        "1": ("color", "a red star and a blue circle"),
        "2": ("color", "a green square"),
        "3": ("color", "a red star and a blue square"),
        "4": ("shape", "a red star and a blue circle too"),
    }
    frame = pd.DataFrame(
        [(name, *facts, 0, 1.0) for name, facts in prompts.items()],
        columns=["prompt_id", "category", "prompt", "image_index", "mi"],
    )
    chosen = Negatives(score="mi", negative="similar_prompt")(frame)
    wrong = chosen[chosen["role"] == "negative"].set_index("prompt_id")["prompt"]
    assert wrong["1"] == prompts["3"][1] and wrong["3"] == prompts["1"][1]
    assert wrong["4"] == prompts["1"][1]  # its category has no other


def test_kinds_of_negatives_come_in_their_shares() -> None:
    shares = {"other_picture": 2.0, "similar_prompt": 1.0, "other_prompt": 1.0}
    chosen = Negatives(score="mi", negative=shares)(many(400))
    positive, negative = chosen.iloc[::2], chosen.iloc[1::2]
    pictures = (positive["prompt_id"].to_numpy() != negative["prompt_id"].to_numpy()).mean()
    assert abs(pictures - 0.5) < 5 * 0.5 / np.sqrt(400)
    assert (positive["rank"] == 1).all()


def test_a_threshold_keeps_what_is_above_it() -> None:
    assert Above(score="mi", threshold=2.5)(MI)["image_index"].tolist() == [2, 0, 3]
    by_prompt = Above(score="mi", threshold={"color": 2.5, "b": 0.5})(MI)
    assert by_prompt["image_index"].tolist() == [2, 0, 3, 2, 1]
    assert Above(score="mi", threshold=0.5, k=1)(MI)["image_index"].tolist() == [2, 3]
    with pytest.raises(UserError, match=r"^threshold: no candidate is above it \(mi reaches 5\)"):
        Above(score="mi", threshold=5.0)(MI)
    with pytest.raises(UserError, match=r"^threshold: none for category 'color', only for a; add"):
        Above(score="mi", threshold={"a": 1.0})(MI)


def test_weights_are_the_reward_as_it_is() -> None:
    chosen = Weighted(score="mi", threshold=2.5)(MI)
    assert chosen["weight"].tolist() == [4.0, 3.0, 5.0]
    assert "_value" not in chosen
    with pytest.raises(UserError, match=r"^threshold: mi is a weight and goes down to 0"):
        Weighted(score="mi", threshold=-1.0)(MI)
    infinite = candidates(mi=[3.0, 1.0, np.inf, 2.0, 0.0, 1.0, 2.0, 5.0])
    with pytest.raises(UserError, match=r"^score: 'mi' is infinite for a candidate of 'a'"):
        Weighted(score="mi", threshold=0.5)(infinite)


def test_several_scores_are_combined_by_their_places() -> None:
    both = candidates(
        mi=[3.0, 1.0, 4.0, 2.0, 0.0, 1.0, 2.0, 5.0],
        judge=[1.0, 0.0, 0.0, 0.0, 9.0, 8.0, 7.0, 6.0],
    )
    # a: places 3 1 4 2 and 4 2 2 2; b: 1 2 3 4 and 4 3 2 1
    found = values(both, {"mi": 3.0, "judge": 1.0})
    assert found.tolist() == [13 / 4, 5 / 4, 14 / 4, 8 / 4, 7 / 4, 9 / 4, 11 / 4, 13 / 4]
    chosen = TopK(score={"mi": 3.0, "judge": 1.0})(both)
    assert chosen["image_index"].tolist() == [2, 3]
    assert list(chosen.columns) == [*both.columns, "rank"]
    assert TopK(score={"mi": 1.0, "judge": 3.0})(both)["image_index"].tolist() == [0, 0]
    assert pairs_of(Pairs(score={"mi": 1.0, "judge": 1.0})(both)) == [("a", 0, 1)]
    with pytest.raises(UserError, match="no column 'hps'"):
        TopK(score={"mi": 1.0, "hps": 1.0})(both)


WRONG = [
    {"kind": "pairs", "score": "mi", "margin": -1.0},
    {"kind": "pairs", "score": "mi", "loser": "best"},
    {"kind": "top_k", "score": {"mi": 0.0}},
    {"kind": "top_k", "score": {}},
    {"kind": "negatives", "score": "mi", "negative": {"hard": 1.0}},
    {"kind": "negatives", "score": "mi", "negative": {}},
    {"kind": "weighted", "score": "mi"},
]


@pytest.mark.parametrize("settings", WRONG)
def test_wrong_settings_are_refused(settings: dict) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Composition).validate_python(settings)


@pytest.mark.parametrize(
    "strategy",
    [
        Pairs(score="mi"),
        Labelled(score="mi"),
        Negatives(score="mi"),
        Above(score="mi", threshold=1.0),
        Weighted(score="mi", threshold=1.0),
    ],
    ids=lambda strategy: strategy.kind,
)
def test_a_set_keeps_its_columns_and_leaves_candidates_alone(strategy: Composition) -> None:
    before = MI.copy()
    chosen = strategy(MI)
    pd.testing.assert_frame_equal(MI, before)
    assert {*MI.columns, "rank"} <= set(chosen) and "_value" not in chosen
    assert chosen.index.tolist() == list(range(len(chosen)))
