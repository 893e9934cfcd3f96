"""A long table read as examples: roles stay together, and what is wrong is named."""

import pandas as pd
import pytest
import torch

from mitune.errors import UserError
from mitune.objectives.rows import Labelled, Negatives, Pair, Rows, Single, Trajectory
from tests.objectives.gaussian_policy import PROMPTS, SIZE, encode, table_of

KINDS = {"single": Single, "pair": Pair, "labelled": Labelled, "negatives": Negatives}


def _latents(table: pd.DataFrame) -> torch.Tensor:
    """The latent of a line says which example and role it is of."""
    roles = {role: number for number, role in enumerate(sorted(set(table["role"])))}
    values = [
        10.0 * int(str(example)[1:]) + roles[role]
        for example, role in zip(table["example"], table["role"], strict=True)
    ]
    return torch.tensor(values)[:, None].expand(len(values), SIZE)


def _read(kind: type[Rows], table: pd.DataFrame) -> Rows:
    return kind.read(table, _latents(table), encode)


def test_roles_stay_together_in_whatever_order_the_lines_are() -> None:
    table = table_of(Pair.roles, 6)
    shuffled = table.sample(frac=1, random_state=0)
    for given in (table, shuffled):
        pairs = _read(Pair, given)[torch.tensor([4, 1])]
        assert torch.equal(pairs.winner[:, 0] - pairs.loser[:, 0], torch.ones(2))
        assert set(pairs.winner[:, 0].tolist()) <= {10.0 * n + 1 for n in range(6)}
    assert torch.equal(pairs.weights, 1 + (pairs.loser[:, 0] / 100).float())


@pytest.mark.parametrize("kind", KINDS)
def test_captions_are_those_of_the_table_and_can_be_dropped(kind: str) -> None:
    table = table_of(KINDS[kind].roles, 4)
    rows = _read(KINDS[kind], table)
    expected = encode([PROMPTS[n % 3] for n in range(4)]).tensors["y"]
    assert torch.equal(rows.captions.condition.tensors["y"], expected)
    dropped = rows.without_captions(torch.tensor([True, False, False, True]))
    found = dropped.captions.condition.tensors["y"]
    assert torch.equal(found[1:3], expected[1:3])
    assert torch.equal(found[[0, 3]], encode(["", ""]).tensors["y"])


def test_lines_without_examples_are_one_each() -> None:
    table = table_of(Single.roles, 5)
    plain = table.drop(columns=["example", "role"])
    assert torch.equal(
        Single.read(plain, _latents(table), encode).latents, _read(Single, table).latents
    )


def test_a_negative_may_have_a_prompt_of_its_own() -> None:
    table = table_of(Negatives.roles, 2)
    table.loc[1, "prompt"] = "no stars"
    rows = _read(Negatives, table)
    y = encode([PROMPTS[0], "no stars"]).tensors["y"]
    assert torch.equal(rows.captions.condition.tensors["y"][0], y[0])
    assert torch.equal(rows.negative_captions.condition.tensors["y"][0], y[1])


def test_labels_are_read() -> None:
    rows = _read(Labelled, table_of(Labelled.roles, 3))
    assert rows.liked.tolist() == [False, True, False]


def test_a_trajectory_is_a_line_per_state() -> None:
    table = table_of(["0", "1", "2"], 2).assign(t=[9.0, 5.0, 0.0] * 2, log_prob=0.5)
    table["label"] = [0.25] * 3 + [-1.0] * 3
    rows = _read(Trajectory, table)
    assert rows.states.shape == (2, 3, SIZE) and rows.states[1, :, 0].tolist() == [10, 11, 12]
    assert rows.times.tolist() == [[9, 5], [9, 5]] and rows.rewards.tolist() == [0.25, -1]


def _edit(kind: str, **changes: object) -> pd.DataFrame:
    """A table of two examples with its last line changed; None drops the line."""
    table = table_of(KINDS[kind].roles, 2)
    if not changes:
        return table.iloc[:-1]
    table = table.astype(object)
    for name, value in changes.items():
        table.loc[len(table) - 1, name] = value
    return table


BAD = {
    "no loser": ("pair", {}, "example 'e1': 0 lines of loser.*add it, or drop the example"),
    "two winners": ("pair", {"role": "winner"}, "'e1': 2 lines of winner.*leave one of them"),
    "unknown role": ("pair", {"role": "winer"}, "'e1': unknown role 'winer'.*winner, loser"),
    "another prompt": ("pair", {"prompt": "other"}, "'e1': its lines differ in prompt"),
    "another weight": ("pair", {"weight": 7}, "'e1': its lines differ in weight"),
    "unknown label": ("labelled", {"label": 2}, "'e1': its label is neither 1 .liked. nor 0"),
    "label in words": ("labelled", {"label": "good"}, "'e1': its label is neither"),
    "no weight": ("single", {"weight": float("nan")}, "'e1': its weight is not finite"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_names_the_example_and_the_fix(case: str) -> None:
    kind, changes, message = BAD[case]
    table = _edit(kind, **changes)
    with pytest.raises(UserError, match=message) as caught:
        KINDS[kind].read(table, torch.randn(len(table), SIZE), encode)
    assert "\n" not in str(caught.value)


def test_equal_pictures_are_no_pair() -> None:
    table = table_of(Pair.roles, 2)
    with pytest.raises(UserError, match="'e0': winner and loser are the same picture"):
        Pair.read(table, torch.zeros(4, SIZE), encode)


def test_a_column_that_is_missing_is_named() -> None:
    table = table_of(Labelled.roles, 2).drop(columns="label")
    with pytest.raises(UserError, match="no column 'label'"):
        _read(Labelled, table)


def test_a_latent_that_is_not_finite_is_named() -> None:
    table = table_of(Pair.roles, 2)
    latents = torch.randn(4, SIZE)
    latents[3, 0] = float("nan")
    with pytest.raises(UserError, match=r"'e1': the latent of its loser .*'a blue star'"):
        Pair.read(table, latents, encode)


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(UserError, match="the fine-tuning set is empty"):
        Single.read(table_of(Single.roles, 0), torch.empty(0, SIZE), encode)
