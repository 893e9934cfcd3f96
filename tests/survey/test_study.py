"""What is drawn: no prompt twice, all orders equally often, one picture per page and place."""

import numpy as np
import pandas as pd
import pytest

from mitune.errors import UserError
from mitune.survey.row import COLUMNS
from mitune.survey.study import Questions, Study, chosen_images
from tests.survey.conftest import METHODS, a_study, methods_table


def test_each_category_has_its_questions_and_no_prompt_comes_twice(rng) -> None:
    study = a_study([f"prompt {n}" for n in range(20)], count=3)
    rows = study.draw("s", "all", rng)
    questions = {row.question: row for row in rows}
    assert list(questions) == list(range(1, 7))
    assert len({row.prompt_id for row in questions.values()}) == 6
    assert sorted(row.category for row in questions.values()) == ["color"] * 3 + ["shape"] * 3
    for number in questions:
        page = [row for row in rows if row.question == number]
        assert {row.option for row in page} == set(METHODS)
        assert sorted(row.position for row in page) == [1, 2, 3]
        indices = study.table.set_index("picture").loc[[r.picture for r in page], "image_index"]
        assert indices.nunique() == 1  # the same seed for all methods
    assert all(row.selected is None for row in rows)


def test_a_category_with_few_prompts_gives_what_it_has(rng) -> None:
    assert len({row.question for row in a_study(["a", "b", "c"], 5).draw("s", "all", rng)}) == 3


def test_orders_are_uniform(rng) -> None:
    study = a_study(["one", "two"], count=1)
    firsts = [
        row.option
        for _ in range(1500)
        for row in study.draw("s", "all", rng)
        if row.question == row.position == 1
    ]
    counts = pd.Series(firsts).value_counts()
    assert set(counts.index) == set(METHODS)
    assert (abs(counts - 500) < 4 * np.sqrt(500 * 2 / 3)).all()


def test_one_picture_of_two_options_is_shown_once(rng) -> None:
    table = methods_table(["a", "b"], images=1)
    same = table["option"].isin(["base", "random_k"])
    first = table[table["option"] == "base"].set_index("prompt_id")
    for column in ("png", "picture"):
        table.loc[same, column] = table.loc[same, "prompt_id"].map(first[column])
    study = Study("methods", "main", Questions(count=1, per="survey"), table)
    place = {row.option: (row.position, row.picture) for row in study.draw("s", "all", rng)}
    assert place["base"] == place["random_k"] != place["round_1"]
    assert sorted({position for position, _ in place.values()}) == [1, 2]


def test_a_study_of_equal_pictures_is_refused() -> None:
    table = methods_table(["a"])
    table["png"] = table["png"].iloc[0]
    table["picture"] = table["picture"].iloc[0]
    with pytest.raises(UserError, match="no prompt has two different pictures"):
        Study("methods", "main", Questions(count=1, per="survey"), table)


def test_each_chooser_puts_its_best_candidate_first() -> None:
    measurements = pd.DataFrame(
        {
            "prompt_id": ["a"] * 3 + ["b"] * 3,
            "category": "color",
            "prompt": "p",
            "image_index": [0, 1, 2] * 2,
            "information": [1.0, 3.0, 2.0, 0.0, 0.0, 5.0],
            "clip": [0.3, 0.1, 0.2, 0.4, 0.4, 0.1],
        }
    )
    found = chosen_images(measurements, {"MI": "information", "clip": "clip"})
    best = found.set_index(["option", "prompt_id"])["image_index"].to_dict()
    assert best == {("MI", "a"): 1, ("MI", "b"): 2, ("clip", "a"): 0, ("clip", "b"): 0}


def test_pictures_of_metrics_are_of_one_prompt_whatever_their_seed(rng) -> None:
    table = methods_table(["a"], ("MI", "clip", "vqa"), images=1)
    table["image_index"] = [0, 4, 2]
    study = Study("metrics", "main", Questions(count=10, per="survey"), table)
    assert {row.option for row in study.draw("s", "all", rng)} == {"MI", "clip", "vqa"}
    assert set(study.scores["score"]) == {"judge"}


def test_rows_have_the_columns_of_the_specification() -> None:
    wanted = (
        "survey campaign group question category prompt option position selected picture "
        "milliseconds"
    )
    assert set(wanted.split()) <= set(COLUMNS)
