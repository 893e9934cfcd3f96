"""What people said: tables, a figure, a page."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mitune.errors import UserError
from mitune.pipelines.arms import ARMS
from mitune.pipelines.survey_analysis.page import render
from mitune.survey import concordance, figure, shares, strengths
from mitune.survey.row import KINDS, Kind
from mitune.survey.storage import Answers


def tabulate(
    answers: Answers,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Shares with intervals, differences, strengths, and agreement; `study` in front of each."""
    table, scores = answers.table(), answers.scores()
    if table["selected"].isna().all():
        raise UserError(f"{answers.path}: no answers yet; ask people (`kedro survey`)")
    by_study: list[tuple[Kind, tuple[pd.DataFrame, ...]]] = []
    for study in KINDS:
        chosen = shares.selections(table, study)
        if len(chosen):
            tau = concordance.tau_with_scores(table, scores, study)
            alpha = concordance.alpha_of_people(table, study)
            tables = (
                shares.shares(chosen, np.random.default_rng(0)),
                shares.differences(chosen, np.random.default_rng(1)),
                strengths.strengths(chosen, np.random.default_rng(2)),
                _agreement(tau, alpha),
            )
            by_study.append((study, tables))
    first, second, third, fourth = (
        pd.concat(
            [tables[place].assign(study=study) for study, tables in by_study], ignore_index=True
        )
        for place in range(4)
    )
    return _study_first(first), _study_first(second), _study_first(third), _study_first(fourth)


def draw_shares(share: pd.DataFrame) -> Figure:
    """Shares of all options."""
    colours = {option: ARMS[option].colour for option in share["option"] if option in ARMS}
    return figure.selection_shares(share, _labels(share), colours)


def write_page(
    share: pd.DataFrame,
    difference: pd.DataFrame,
    strength: pd.DataFrame,
    agreement: pd.DataFrame,
    picture: bytes,
) -> str:
    """All of it on one self-contained page, the published tables beside it."""
    return render(share, difference, strength, agreement, picture, _labels(share))


def _labels(share: pd.DataFrame) -> dict[str, str]:
    return {option: ARMS[option].label for option in share["option"] if option in ARMS}


def _agreement(tau: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """People with each score (Kendall's tau), and with each other (Krippendorff's alpha)."""
    between = {"measure": "alpha", "score": "people", "value": alpha}
    with_scores = tau.rename(columns={"tau": "value"}).assign(measure="tau")
    return pd.DataFrame([between, *with_scores.to_dict("records")])


def _study_first(table: pd.DataFrame) -> pd.DataFrame:
    return table[["study", *(name for name in table if name != "study")]]
