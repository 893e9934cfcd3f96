"""Examples as a table: repeats, parts, and what an objective trains on."""

from collections.abc import Sequence

import pandas as pd
import pytest

from mitune.example_sets import Example, ExampleError, Picture
from mitune.example_sets.index import _placed, digest, index
from mitune.example_sets.rows import trained_on
from mitune.objectives.rows import FeaturedPair, Labelled, Negatives, Pair, Single
from tests.example_sets.files import png

A, B, C = png(1), png(2), png(3)


def pair(winner: bytes, loser: bytes, prompt: str = "a star", label: float = 1.0) -> Example:
    pictures = {"winner": Picture(winner, "w"), "loser": Picture(loser, "l")}
    return Example(prompt, pictures, "here", label)


def labelled(content: bytes, label: float, prompt: str = "a star") -> Example:
    return Example(prompt, {"image": Picture(content, "i")}, "here", label)


def taken(examples: Sequence[Example], rows: type, repeats: str = "drop") -> pd.DataFrame:
    kinds = frozenset(kind.__name__ for kind in rows.__mro__)
    return trained_on(index(examples, repeats), kinds)  # type: ignore[arg-type]


def test_a_picture_has_one_place_however_many_examples_show_it() -> None:
    table = index([pair(A, B), pair(A, C), pair(C, B, "a cross")], "drop")
    assert table["example"].tolist() == [0, 0, 1, 1, 2, 2]
    places = table.groupby("picture")[["shard", "image_index"]].nunique()
    assert (places == 1).all(axis=None) and len(places) == 3
    assert table["picture"].tolist() == [digest(p) for p in (A, B, A, C, C, B)]
    assert table["prompt_id"].nunique() == 2


def test_repeats_are_kept_dropped_or_one_of_a_prompt() -> None:
    examples = [pair(A, B), pair(A, B), pair(B, A), pair(A, B, "a cross"), pair(A, C)]
    assert index(examples, "keep")["example"].nunique() == 5
    # People who disagree are no repeat.
    assert index(examples, "drop")["example"].nunique() == 4
    assert index(examples, "one_per_prompt")["prompt"].tolist() == ["a star"] * 2 + ["a cross"] * 2
    assert index(examples, "drop", most=2)["example"].nunique() == 2


def test_parts_are_named_by_their_pictures_and_a_new_row_changes_one() -> None:
    """One in 256 digests ends a part, so a thousand pictures are in several."""
    pictures = [number.to_bytes(2, "big") for number in range(2000)]
    names = [digest(p) for p in pictures]
    before, after = _placed(names), _placed([digest(b"new"), *names])
    assert before["shard"].nunique() > 3
    assert len(set(before["shard"]) - set(after["shard"])) == 1
    assert (
        before.groupby("shard")["image_index"].apply(lambda x: x.tolist() == [*range(len(x))]).all()
    )


def test_pairs_are_pairs() -> None:
    examples = [pair(A, B), pair(B, C, label=0.5), pair(C, A, "a cross")]
    for rows in (Pair, FeaturedPair):
        table = taken(examples, rows)
        assert table["role"].tolist() == ["winner", "loser"] * 2
        assert table["example"].nunique() == 2 and "label" not in table
    negatives = taken(examples, Negatives)
    assert negatives["role"].tolist() == ["positive", "negative"] * 2


def test_sft_takes_winners_and_both_of_a_tie() -> None:
    table = taken([pair(A, B), pair(A, C), pair(B, C, label=0.5)], Single)
    winners = index([pair(A, B), pair(A, C), pair(B, C)], "drop")
    place = dict(zip(winners["picture"], winners["image_index"], strict=True))
    assert table["image_index"].tolist() == [place[digest(p)] for p in (A, A, B, C)]


def test_labels_are_once_per_picture_and_a_win_counts() -> None:
    """Of A > B, B > C: B has won once, so it is liked (the released code's rule)."""
    table = taken([pair(A, B), pair(B, C)], Labelled)
    assert table["label"].tolist() == [1, 1, 0] and table["role"].unique() == ["image"]
    assert table["example"].tolist() == [0, 1, 2]
    other = taken([pair(A, B), pair(B, C, "a cross")], Labelled)
    assert other["label"].tolist() == [1, 0, 1, 0]  # what it is for another prompt does not count


def test_labels_of_one_class_and_pairs_of_labels_are_refused() -> None:
    liked = [labelled(A, 1), labelled(B, 1)]
    assert len(taken(liked, Single)) == 2
    with pytest.raises(ExampleError, match="pictures are all liked; add some of the other kind"):
        taken(liked, Labelled)
    with pytest.raises(ExampleError, match="all disliked"):
        taken([labelled(A, 0)], Labelled)
    with pytest.raises(ExampleError, match="has pictures with labels, not pairs"):
        taken([*liked, labelled(C, 0)], Pair)


def test_nothing_left_and_broken_pictures_are_refused() -> None:
    with pytest.raises(ExampleError, match="the set is empty: no row says"):
        index([], "drop")
    with pytest.raises(ExampleError, match="nothing for rows Pair: all are ties"):
        taken([pair(A, B, label=0.5)], Pair)
    with pytest.raises(ExampleError, match=r"^here: winner and loser are the same picture"):
        index([pair(A, B), pair(A, A)], "drop")
    with pytest.raises(ExampleError, match=r"^l: cannot be read as a picture"):
        index([pair(A, B[:60])], "drop")
