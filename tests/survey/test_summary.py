"""The surveys in short, and the words of the report."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mitune.pipelines.arms import arms_of
from mitune.pipelines.report.people import people
from mitune.survey import shares, strengths
from mitune.survey.row import Kind, Row
from mitune.survey.shares import AVERAGE
from mitune.survey.simulation import Respondents, simulate
from mitune.survey.storage import as_table
from mitune.survey.summary import summarise
from tests.survey.conftest import a_study


def tables(rows: list[Row], study: Kind) -> tuple[pd.DataFrame, ...]:
    """Shares, differences and strengths, as the pipeline makes them."""
    chosen = shares.selections(as_table(rows), study)
    makers = (shares.shares, shares.differences, strengths.strengths)
    return tuple(
        make(chosen, np.random.default_rng(n)).assign(study=study) for n, make in enumerate(makers)
    )


def answered(surveys: int, rng) -> list[Row]:
    study = a_study([f"prompt {n}" for n in range(20)], count=4)
    return simulate(study, Respondents(slope=6.0), "judge", surveys, rng)


def test_an_option_has_its_average_difference_and_strength(rng) -> None:
    share, difference, strength = tables(answered(30, rng), "methods")
    found = summarise(share, difference, strength)
    assert list(found) == ["methods"] and json.loads(json.dumps(found)) == found
    methods = found["methods"]
    assert (methods["surveys"], methods["answers"]) == (30, 240)
    by_name = {option["option"]: option for option in methods["options"]}
    assert list(by_name) == ["base", "random_k", "round_1"]
    average = share[(share["by"] == "category") & (share["part"] == AVERAGE)].set_index("option")
    for name, option in by_name.items():
        assert option["share"] == pytest.approx(average.loc[name, "share"])
        assert option["share_low"] <= option["share"] <= option["share_high"]
    assert by_name["base"]["difference"] is None and by_name["base"]["strength"] == 0
    line = difference.set_index("option").loc["round_1"]
    assert by_name["round_1"]["difference_low"] == pytest.approx(line["low"])
    assert by_name["round_1"]["strength"] > by_name["random_k"]["strength"] > 0


def test_published_shares_are_of_the_same_categories(rng) -> None:
    rows = answered(3, rng)
    both = summarise(*tables(rows, "methods"))["methods"]["published"]
    assert both["table"] == "7" and both["parts"] == ["color", "shape"]
    assert both["shares"]["MI-TUNE"] == pytest.approx([0.4643, 0.2501])
    spatial = [replace(row, category="2d_spatial") for row in rows]
    assert summarise(*tables(spatial, "methods"))["methods"]["published"]["parts"] == ["spatial_2d"]
    other = [replace(row, category="numeracy") for row in rows]
    assert len(summarise(*tables(other, "methods"))["methods"]["published"]["parts"]) == 6


def test_metrics_stand_beside_all_groups_and_no_subset(rng) -> None:
    names = {"base": "MI", "random_k": "clip", "round_1": "judge"}
    rows = [replace(r, study="metrics", option=names[r.option]) for r in answered(4, rng)]
    found = summarise(*tables(rows, "metrics"))["metrics"]
    assert [option["option"] for option in found["options"]] == ["MI", "clip", "judge"]
    assert found["published"]["parts"] == ["academic", "random", "students", AVERAGE]
    assert found["published"]["shares"]["MI"] == pytest.approx([0.691, 0.397, 0.646, 0.578])
    assert set(found["published"]["shares"]) == {"MI", "BLIP-VQA", "HPS"}


def test_the_report_says_how_the_result_stands_to_the_base(rng) -> None:
    (survey,) = people(summarise(*tables(answered(60, rng), "methods")), arms_of(1))
    assert survey.verdict.startswith("On people’s answers, MI-TUNE R=1 is ")
    assert " points above base (+" in survey.verdict
    assert [said.title for said in survey.options] == ["base", "random k", "MI-TUNE R=1"]
    assert survey.options[0].difference is None and survey.options[2].colour


def test_what_the_first_metric_chose_is_held_against_the_others(rng) -> None:
    names = {"base": "MI", "random_k": "clip", "round_1": "judge"}
    rows = [replace(r, study="metrics", option=names[r.option]) for r in answered(60, rng)]
    (survey,) = people(summarise(*tables(rows, "metrics")), arms_of(1))
    # People follow the judge's score, of which `MI` has 0, `clip` a half and `judge` 1.
    assert survey.verdict.startswith("On people’s answers, MI is ")
    assert " points below clip (-" in survey.verdict and " points below judge (-" in survey.verdict


def test_one_survey_is_shown_without_intervals_and_without_a_verdict(rng) -> None:
    found = summarise(*tables(answered(1, rng), "methods"))
    assert found["methods"]["options"][0]["share_low"] is None
    (survey,) = people(found, arms_of(1))
    assert survey.verdict == "" and np.isnan(survey.options[1].share.low)
    assert people({}, arms_of(1)) == []
