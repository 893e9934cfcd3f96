"""A table of another form is refused where it enters a stage, in one line."""

import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError

from mitune.errors import UserError
from mitune.tables import FINETUNING_SET, PROMPTS, SCORES, SUMMARY


def _scores() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "prompt_id": ["a", "b"],
            "category": ["color", "color"],
            "prompt": ["a red star", "a blue star"],
            "image_index": [0, 0],
            "seed": [1, 2],
            "information": [0.5, -0.25],
        }
    )


def test_a_table_with_its_columns_and_more_passes_as_it_is() -> None:
    table = _scores()
    assert SCORES.validate(table) is table and PROMPTS.validate(table) is table


WRONG = {
    "missing": (lambda t: t.drop(columns="seed"), "column seed is missing"),
    "empty cell": (lambda t: t.assign(category=["color", None]), "column category has empty"),
    "numbers for text": (lambda t: t.assign(prompt_id=[1, 2]), "prompt_id should be text, not int"),
    "no whole numbers": (lambda t: t.assign(image_index=[0.0, 0.5]), "should be whole numbers"),
    "no scores": (lambda t: t.drop(columns="information"), "no column of scores"),
}


@pytest.mark.parametrize("case", WRONG)
def test_another_form_is_refused(case: str) -> None:
    change, message = WRONG[case]
    with pytest.raises(UserError, match=message):
        SCORES.validate(change(_scores()))


def test_what_may_be_left_out_is_of_its_type_and_whole_if_it_is_there() -> None:
    table = _scores().assign(rank=1)
    assert FINETUNING_SET.validate(table) is table
    pairs = table.assign(example=0, role=["winner", "loser"])
    assert FINETUNING_SET.validate(pairs) is pairs
    with pytest.raises(UserError, match="column role has empty cells"):
        FINETUNING_SET.validate(pairs.assign(role=["winner", None]))
    with pytest.raises(UserError, match="column weight should be numbers, not"):
        FINETUNING_SET.validate(table.assign(weight=["much", "little"]))


def test_truth_values_are_no_numbers() -> None:
    numbers = ("mean", "low", "high", "difference", "difference_low")
    row = {name: [0.5] for name in numbers}
    names = {name: ["x"] for name in ("model", "category", "metric")}
    counts = {"prompts": [1], "images": [1]}
    whole = pd.DataFrame(names | row | counts | {"difference_high": [0.5], "reward_used": [False]})
    SUMMARY.validate(whole)
    with pytest.raises(UserError, match="column mean should be numbers, not bool"):
        SUMMARY.validate(whole.assign(mean=[True]))


def test_the_catalog_says_which_table(tmp_path) -> None:
    path = tmp_path / "scores.parquet"
    _scores().drop(columns="seed").to_parquet(path)
    entry = {
        "type": "pandas.ParquetDataset",
        "filepath": str(path),
        "validator": {"class": "mitune.tables.SCORES", "on": ["load"]},
    }
    catalog = DataCatalog.from_config({"round_1.scores": entry})
    with pytest.raises(DatasetError, match=r"(?s)'round_1.scores'.*column seed is missing"):
        catalog.load("round_1.scores")
