"""Simulated people and the number of surveys that tells two options apart."""

import math

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import nct, t

from mitune.errors import UserError
from mitune.survey.power import needed, power
from mitune.survey.simulation import (
    Respondents,
    differences_by_survey,
    expected_difference,
    scores_of,
    simulate,
)
from mitune.survey.storage import as_table
from mitune.survey.study import Questions, Study
from tests.survey.conftest import a_study, methods_table

PROMPTS = [f"prompt {n}" for n in range(40)]


def test_options_of_one_picture_are_selected_together(rng) -> None:
    table = methods_table(PROMPTS)
    first = table[table["option"] == "base"].set_index(["prompt_id", "image_index"])
    keys = table.set_index(["prompt_id", "image_index"]).index
    same = (table["option"] == "random_k").to_numpy()
    table.loc[same, "picture"] = first["picture"].reindex(keys).to_numpy()[same]
    study = Study("methods", "main", Questions(count=5, per="category"), table)
    rows = as_table(simulate(study, Respondents(), "judge", 10, rng))
    said = rows.assign(selected=rows["selected"].astype(int)).pivot(
        index=["survey", "question"], columns="option", values="selected"
    )
    assert (said["base"] == said["random_k"]).all() and (said["base"] != said["round_1"]).any()


def test_people_who_guess_are_told_apart_at_the_level_of_the_test(rng) -> None:
    study = a_study(PROMPTS, count=5)
    rows = as_table(simulate(study, Respondents(slope=0.0), "judge", 400, rng))
    found = differences_by_survey(rows, "round_1", "base")
    assert abs(found.mean()) < 4 * found.std() / math.sqrt(len(found))


def test_the_expected_difference_is_the_mean_of_many_surveys(rng) -> None:
    """Categories of unlike size, of which the smaller gives all that it has."""
    table = methods_table(PROMPTS)
    color = table["category"] == "color"
    table.loc[color, "judge"] **= 3
    kept = table[~color | table["prompt"].isin(["prompt 0", "prompt 2"])]
    study = Study("methods", "main", Questions(count=5, per="category"), kept)
    people = Respondents(slope=2.0, spread=1.5, threshold=0.3)
    exact = expected_difference(study, people, "judge", "random_k", "base")
    rows = as_table(simulate(study, people, "judge", 1500, rng))
    found = differences_by_survey(rows, "random_k", "base")
    assert abs(found.mean() - exact) < 4 * found.std() / math.sqrt(len(found))
    fixed = Respondents(slope=2.0, spread=0.0, threshold=0.3)
    closed = (2 * expit(2 * (0.5**3 - 0.3)) + 5 * expit(2 * (0.5 - 0.3))) / 7 - expit(-0.6)
    found = expected_difference(study, fixed, "judge", "random_k", "base")
    assert found == pytest.approx(closed, abs=1e-12)
    assert expected_difference(study, Respondents(slope=0.0), "judge", "base", "round_1") == 0


def test_a_small_difference_needs_as_many_surveys_under_every_seed() -> None:
    study = a_study(PROMPTS, count=2)
    people = Respondents(slope=0.3)
    numbers = [
        power(study, people, "judge", ("round_1", "base"), (), np.random.default_rng(seed))[1]
        for seed in range(2)
    ]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.15)


def test_power_is_that_of_the_t_test(rng) -> None:
    """Against the noncentral t of the population's own mean and deviation."""
    study = a_study(PROMPTS, count=3)
    respondents = Respondents(slope=0.8, spread=1.0)
    table, wanted = power(study, respondents, "judge", ("round_1", "base"), (5, 10, 20, 40), rng)
    again = np.random.default_rng(0)
    rows = as_table(simulate(study, respondents, "judge", 1000, again))
    deviation = differences_by_survey(rows, "round_1", "base").std()
    mean = expected_difference(study, respondents, "judge", "round_1", "base")
    for line in table.itertuples(index=False):
        shift = mean / deviation * math.sqrt(line.surveys)
        beyond = t.ppf(0.975, line.surveys - 1)
        exact = 1 - nct.cdf(beyond, line.surveys - 1, shift)
        assert line.power == pytest.approx(exact, abs=0.07), line.surveys
        assert line.low <= line.power <= line.high
    assert table["power"].is_monotonic_increasing
    # Where the table crosses 80 % the number needed lies.
    assert table.loc[table["power"] < 0.75, "surveys"].max() < wanted
    assert wanted <= table.loc[table["power"] > 0.85, "surveys"].min() + 2


def test_surveys_needed_follow_the_textbook() -> None:
    assert needed(0.5, 1.0) == 32  # ((1.96 + 0.8416) / 0.5)^2 = 31.4
    assert needed(-0.5, 1.0) == 32
    assert math.isinf(needed(0.0, 1.0))


def test_misspelt_scores_and_options_are_named(rng) -> None:
    study = a_study(PROMPTS)
    with pytest.raises(UserError, match="choose of judge"):
        scores_of(study, "jugde")
    with pytest.raises(UserError, match=r"choose of .*base"):
        power(study, Respondents(), "judge", ("round_1", "bas"), (5,), rng)
