"""Respondents made of a score and noise: to test the analysis, and to plan a survey."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, NonNegativeFloat
from scipy.special import expit

from mitune.errors import UserError
from mitune.survey.row import Row
from mitune.survey.study import Choice, Study

_NODES = 40  # of the quadrature over leniency


class Respondents(BaseModel):
    """People who select a picture with probability sigmoid(slope (score - threshold) + leniency).

    `slope`: how far they follow the score; 0 is guessing. `spread`: standard deviation of the
    leniency, a number that each brings to all of a survey, so that its answers go together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    slope: NonNegativeFloat = 4.0
    threshold: float = 0.5
    spread: NonNegativeFloat = 0.7

    def chance(self, score: float) -> float:
        """That someone, whoever it is, selects a picture of this score: over all leniencies."""
        leniency, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        logits = self.slope * (score - self.threshold) + self.spread * leniency
        return float(np.average(expit(logits), weights=weights))

    def answer(
        self, rows: list[Row], scores: dict[tuple[str, str], float], rng: np.random.Generator
    ) -> list[Row]:
        """All rows of a survey answered; options of one picture are selected together.

        `scores`: by prompt_id and picture.
        """
        leniency = rng.normal(0.0, self.spread)
        selected: dict[tuple[int, str], bool] = {}
        for row in rows:
            picture = str(row.picture)
            key = (row.question, picture)
            if key not in selected:
                logit = self.slope * (scores[row.prompt_id, picture] - self.threshold) + leniency
                selected[key] = bool(rng.random() < expit(logit))
        return [replace(row, selected=selected[row.question, str(row.picture)]) for row in rows]


def scores_of(study: Study, score: str) -> dict[tuple[str, str], float]:
    """A score of every picture of a study, by prompt_id and picture.

    Raises
    ------
    UserError
        If the study does not have it.
    """
    known = study.scores[study.scores["score"] == score]
    if known.empty:
        available = ", ".join(dict.fromkeys(study.scores["score"])) or "none"
        raise UserError(f"score {score!r} is not known of the pictures; choose of {available}")
    keys = zip(known["prompt_id"], known["picture"], strict=True)
    return dict(zip(keys, map(float, known["value"]), strict=True))


def simulate(
    study: Study, respondents: Respondents, score: str, surveys: int, rng: np.random.Generator
) -> list[Row]:
    """Rows of so many answered surveys, named `simulated_0` and so on."""
    scores = scores_of(study, score)
    return [
        row
        for number in range(surveys)
        for row in respondents.answer(
            study.draw(f"simulated_{number}", "simulated", rng), scores, rng
        )
    ]


def differences_by_survey(rows: pd.DataFrame, first: str, second: str) -> pd.Series:
    """Share of questions that select `first` less that of `second`, for each survey."""
    selected = rows.assign(selected=rows["selected"].astype(float)).pivot(
        index=["survey", "question"], columns="option", values="selected"
    )
    return (selected[first] - selected[second]).dropna().groupby(level="survey").mean()


def expected_difference(
    study: Study, respondents: Respondents, score: str, first: str, second: str
) -> float:
    """Mean of `differences_by_survey` over all surveys that can be drawn, without drawing any.

    Prompts of a pool, and pictures of a prompt, are equally likely; a survey's questions count
    alike.
    """
    scores = scores_of(study, score)
    chances = {picture: respondents.chance(value) for picture, value in scores.items()}

    def difference(choice: Choice) -> float:
        chance = {
            option: chances[choice.prompt_id, picture]
            for picture, options in choice.options.items()
            for option in options
        }
        return chance[first] - chance[second]

    means = [
        np.mean([np.mean([difference(choice) for choice in several]) for several in pool.values()])
        for pool in study.pools
    ]
    counts = [min(study.questions.count, len(pool)) for pool in study.pools]
    return float(np.average(means, weights=counts))
