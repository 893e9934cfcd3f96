"""Shares, differences, strengths and agreement, where they are known."""

import io

import numpy as np
import pandas as pd
import pytest

from mitune.survey import concordance, shares, strengths
from mitune.survey.figure import selection_shares
from mitune.survey.published import OFFICIAL_NAMES, published
from mitune.survey.resampling import Resampling
from mitune.survey.row import Row
from mitune.survey.shares import AVERAGE, NOTHING
from mitune.survey.simulation import Respondents, simulate
from mitune.survey.storage import as_table
from tests.survey.conftest import a_study

THREE = ("MI", "BLIP-VQA", "HPS")
SURVEYS = {"academic": 45, "random": 35, "students": 22}


def row(survey: str, question: int, option: str, selected: bool, **more) -> Row:
    known = {
        "study": "metrics", "campaign": "main", "group": "all", "category": "color",
        "prompt_id": f"p{question}", "prompt": "p", "position": None, "picture": None,
        "milliseconds": None,
    }  # fmt: skip
    return Row(
        survey=survey, question=question, option=option, selected=selected, **{**known, **more}
    )


def part(table: pd.DataFrame, by: str) -> pd.Series:
    return table[table["by"] == by].set_index(["part", "option"])["share"]


def test_published_marginals_are_sums_of_the_eight_subsets() -> None:
    table = part(published("metrics"), "group")
    for group in (*SURVEYS, AVERAGE):
        subsets = {o: v for o, v in table[group].items() if o not in THREE}
        assert len(subsets) == 8 and sum(subsets.values()) == pytest.approx(1, abs=0.0025)
        within = 0.0016 if group != AVERAGE else 0.0031  # of means that are rounded
        for option in THREE:
            has = [v for o, v in subsets.items() if option in o.removeprefix("only ").split("+")]
            assert sum(has) == pytest.approx(table[group, option], abs=within)


def test_published_averages_are_unweighted_but_for_one() -> None:
    """HPS: 48.2 is printed, its groups give 48.4; 48.2 is their mean weighted by surveys."""
    table = part(published("metrics"), "group")
    printed = {"MI": 0.578, "BLIP-VQA": 0.662, "HPS": 0.482}
    for option, value in printed.items():
        assert table[AVERAGE, option] == pytest.approx(value)
        mean = np.mean([table[group, option] for group in SURVEYS])
        assert mean == pytest.approx(0.4843 if option == "HPS" else value, abs=5.1e-4)
    weighted = sum(n * table[group, "HPS"] for group, n in SURVEYS.items()) / 102
    assert weighted == pytest.approx(0.482, abs=5e-4)


def test_table_6_is_recomputed_from_answers_with_the_published_subsets(rng) -> None:
    """102 surveys of 10 answers; the average is the unweighted one, 57.8 and not 58.0."""
    known = part(published("metrics"), "group")
    rows = []
    for group, count in SURVEYS.items():
        subsets = known[group][~known[group].index.isin(THREE)]
        exact = subsets / subsets.sum() * 10 * count
        counts = np.floor(exact).astype(int)
        short = 10 * count - counts.sum()
        counts[(exact - counts).sort_values().index[::-1][:short]] += 1
        said = [name for name, n in counts.items() for _ in range(n)]
        for number, name in enumerate(said):
            members = name.removeprefix("only ").split("+")
            for short_name, option in OFFICIAL_NAMES["metrics"].items():
                survey, question = divmod(number, 10)
                rows.append(
                    row(f"{group}{survey}", question, short_name, option in members, group=group)
                )
    chosen = shares.selections(as_table(rows), "metrics").rename(columns=OFFICIAL_NAMES["metrics"])
    table = shares.shares(chosen, rng)
    found = part(table, "group")
    for (name, option), value in known.items():
        assert found[name, option] == pytest.approx(value, abs=0.003), (name, option)
    assert round(100 * found[AVERAGE, "MI"], 1) == 57.8
    sizes = table[(table["option"] == "MI") & (table["by"] == "group")].set_index("part")
    assert sizes.loc[AVERAGE, "answers"] == 1020
    assert sizes.loc["random", "surveys"] == 35


def test_table_7_is_recomputed_from_84_answers_per_category(rng) -> None:
    known = part(published("methods"), "category")
    rows = []
    for (category, option), value in known.items():
        selected = round(value * 84)
        for answer in range(84):
            survey, place = divmod(answer, 2)
            question = 2 * list(known.index.unique(0)).index(category) + place
            more = {"study": "methods", "category": category}
            rows.append(row(f"s{survey}", question, option, answer < selected, **more))
    table = shares.shares(shares.selections(as_table(rows), "methods"), rng)
    found = part(table, "category")
    exact = 0
    for name, value in known.items():
        # Three published cells are no multiple of 1/84 (metrics.md, F3).
        assert found[name] == pytest.approx(value, abs=0.0042), name
        exact += abs(found[name] - value) < 5.1e-5
    assert exact == 45
    assert not table["option"].str.startswith("only ").any()


def simulated(respondents: Respondents, surveys: int, rng, **more) -> pd.DataFrame:
    study = a_study([f"prompt {n}" for n in range(40)], **{"count": 5, **more})
    return as_table(simulate(study, respondents, "judge", surveys, rng))


def test_shares_of_simulated_people_are_those_of_their_model(rng) -> None:
    """Without leniency an option of judge s is selected with probability sigmoid(4 (s - 1/2))."""
    table = simulated(Respondents(spread=0.0), 250, rng)
    found = part(shares.shares(shares.selections(table, "methods"), rng), "group")["simulated"]
    for option, score in (("base", 0.0), ("random_k", 0.5), ("round_1", 1.0)):
        assert found[option] == pytest.approx(1 / (1 + np.exp(-4 * (score - 0.5))), abs=0.03)


def test_intervals_cover_and_know_that_answers_of_a_person_go_together() -> None:
    """95 % intervals of a share of 0.5; with strong leniency they are wider than binomial ones."""
    surveys = pd.Series("all", index=pd.Index(range(40), name="survey"))
    inside, widths = 0, []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        leniency = rng.normal(0.0, 2.0, 40).repeat(10)
        said = (rng.random(400) < 1 / (1 + np.exp(-leniency))).astype(float)
        found = Resampling(surveys, rng).mean(pd.Series(said, surveys.index.repeat(10)))
        low, high = found.interval
        inside += low <= 0.5 <= high
        widths.append(high - low)
    assert 0.90 <= inside / 200 <= 0.99
    assert np.mean(widths) > 1.5 * 2 * 1.96 * np.sqrt(0.25 / 400)


def test_the_interval_of_equal_surveys_is_that_of_their_means(rng) -> None:
    surveys = pd.Series("all", index=pd.Index([f"s{n}" for n in range(50)], name="survey"))
    means = rng.random(50)
    values = pd.Series(np.repeat(means, 4), index=surveys.index.repeat(4))
    found = Resampling(surveys, rng).mean(values)
    assert found.value == pytest.approx(means.mean())
    expected = means.std() / np.sqrt(50)
    assert found.replicates.std() == pytest.approx(expected, rel=0.08)
    assert (found.surveys, found.answers) == (50, 200)


def test_one_survey_has_no_interval(rng) -> None:
    table = simulated(Respondents(), 1, rng)
    found = shares.shares(shares.selections(table, "methods"), rng)
    assert found["share"].notna().all() and found["low"].isna().all()


def test_unanswered_questions_count_nowhere(rng) -> None:
    table = simulated(Respondents(), 3, rng)
    left = table.copy()
    left.loc[left["question"] > 2, "selected"] = pd.NA
    chosen = shares.selections(left, "methods")
    assert len(chosen) == 6
    assert shares.selections(left, "metrics").empty
    subsets = shares.shares(chosen, rng)
    listed = subsets["option"].str.startswith("only ") | (subsets["option"] == NOTHING)
    whole = subsets[listed & (subsets["by"] == "group") & (subsets["part"] == "simulated")]
    assert whole["share"].sum() == pytest.approx(1)


def test_differences_are_paired(rng) -> None:
    """People differ in leniency a lot, and that cancels in the difference."""
    table = simulated(Respondents(spread=3.0), 100, rng)
    chosen = shares.selections(table, "methods")
    found = shares.differences(chosen, rng).set_index("option")
    share = part(shares.shares(chosen, rng), "group")["simulated"]
    first = next(iter(chosen))
    for option in found.index:
        assert found.loc[option, "difference"] == pytest.approx(share[option] - share[first])
    ends = found.loc[:, ["low", "high"]].to_numpy()
    assert (ends[:, 1] - ends[:, 0] < 0.2).all()


def test_strength_of_two_options_is_the_log_odds(rng) -> None:
    rows = []
    for number in range(200):
        wins = number % 4 != 0  # three to one
        rows += [row(f"s{number}", 1, "a", not wins), row(f"s{number}", 1, "b", wins)]
    found = strengths.strengths(shares.selections(as_table(rows), "metrics"), rng)
    found = found.set_index("option")
    assert found.loc["a", "strength"] == 0
    assert found.loc["b", "strength"] == pytest.approx(np.log(3), abs=0.01)
    error = np.sqrt(1 / 50 + 1 / 150)
    width = found.loc["b", "high"] - found.loc["b", "low"]
    assert width == pytest.approx(2 * 1.96 * error, rel=0.2)


def test_strengths_recover_those_of_a_bradley_terry_model(rng) -> None:
    """Where selections are independent the odds of a against b are the ratio of their odds."""
    table = simulated(Respondents(spread=0.0, slope=2.0), 300, rng)
    found = strengths.strengths(shares.selections(table, "methods"), rng).set_index("option")
    values = found["strength"] - found.loc["base", "strength"]
    assert values["random_k"] == pytest.approx(1.0, abs=0.2)
    assert values["round_1"] == pytest.approx(2.0, abs=0.25)


def test_an_option_that_never_loses_is_finite(rng) -> None:
    rows = [row(f"s{n}", 1, option, option == "b") for n in range(3) for option in "ab"]
    found = strengths.strengths(shares.selections(as_table(rows), "metrics"), rng)
    assert np.isfinite(found["strength"]).all() and found["strength"].iloc[1] > 3


def test_alpha_is_one_for_agreement_and_zero_for_chance(rng) -> None:
    agreeing = as_table(
        row(f"s{s}", q, o, (q + ord(o)) % 2 == 0) for s in range(5) for q in range(8) for o in "ab"
    )
    assert concordance.alpha_of_people(agreeing, "metrics") == pytest.approx(1)
    chance = as_table(
        row(f"s{s}", q, o, rng.random() < 0.5) for s in range(9) for q in range(99) for o in "ab"
    )
    assert concordance.alpha_of_people(chance, "metrics") == pytest.approx(0, abs=0.06)
    alike = as_table(row(f"s{s}", q, "a", True) for s in range(3) for q in range(3))
    assert np.isnan(concordance.alpha_of_people(alike, "metrics"))
    assert np.isnan(concordance.alpha_of_people(agreeing[agreeing["survey"] == "s0"], "metrics"))


def test_tau_is_one_with_the_score_that_people_follow(rng) -> None:
    study = a_study([f"prompt {n}" for n in range(10)], count=5)
    rows = simulate(study, Respondents(slope=12.0, spread=0.0), "judge", 200, rng)
    known = study.scores
    noise = known.assign(score="noise", value=rng.random(len(known)))
    both = pd.concat([known, noise, known.assign(score="against", value=-known["value"])])
    table = concordance.tau_with_scores(as_table(rows), both, "methods")
    table = table.set_index("score")
    # Two images of each prompt: pictures of one method tie in the score, but not among people.
    assert table.loc["judge", "tau"] > 0.8
    assert table.loc["against", "tau"] == pytest.approx(-table.loc["judge", "tau"])
    assert abs(table.loc["noise", "tau"]) < 0.3
    assert (table["prompts"] == 10).all()


def test_without_scores_there_is_no_tau(rng) -> None:
    nothing = pd.DataFrame(columns=["prompt_id", "picture", "score", "value"])
    table = simulated(Respondents(), 2, rng)
    assert concordance.tau_with_scores(table, nothing, "methods").empty


def test_an_average_with_a_group_of_one_survey_has_no_interval(rng) -> None:
    rows = [
        row(f"s{n}", q, option, (n + q) % 2 == 0, group="one" if n == 0 else "many")
        for n in range(5)
        for q in range(3)
        for option in ("MI", "clip")
    ]
    found = shares.shares(shares.selections(as_table(rows), "metrics"), rng)
    found = found[(found["by"] == "group") & (found["option"] == "clip")].set_index("part")
    assert found.loc["many", ["low", "high"]].notna().all()
    assert found.loc[["one", AVERAGE], ["low", "high"]].isna().all(axis=None)
    assert found.loc[AVERAGE, "surveys"] == 5


def test_mutual_information_and_the_base_come_first(rng) -> None:
    rows = [row("s", 1, option, True) for option in ("clip", "vqa", "MI")]
    assert list(shares.selections(as_table(rows), "metrics")) == ["MI", "clip", "vqa"]
    rows = [row("s", 1, option, True, study="methods") for option in ("AandE", "MI", "VNL")]
    assert list(shares.selections(as_table(rows), "methods")) == ["VNL", "AandE", "MI"]


def test_averages_are_over_groups_of_people_or_over_categories(rng) -> None:
    """Of four surveys three are of one group, and of three questions two of one category."""
    rows = [
        row(f"s{n}", q, "a", q == 2, group="one" if n else "other", category="c" if q else "d")
        for n in range(4)
        for q in range(3)
    ]
    table = shares.shares(shares.selections(as_table(rows), "metrics"), rng)
    for study, expected in (("metrics", 1 / 3), ("methods", 1 / 4)):
        found = shares.overall(table.assign(study=study)).set_index("option")["share"]
        assert found["a"] == pytest.approx(expected)


def test_names_of_options_are_text_in_the_figure(rng) -> None:
    """An imported file may name an option so that matplotlib would read it as a formula."""
    rows = [row(f"s{n}", 1, option, n % 2 == 0) for n in range(4) for option in ("$x^$", "{\\bad")]
    table = shares.shares(shares.selections(as_table(rows), "metrics"), rng)
    figure = selection_shares(table.assign(study="metrics"), {}, {"$x^$": "#123456"})
    figure.savefig(io.BytesIO(), format="png")
    (axis,) = figure.axes
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["$x^$", "{\\bad"]
    assert axis.get_lines()[0].get_color() == "#123456"
