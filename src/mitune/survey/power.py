"""How many surveys are needed to tell two options apart."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy

from mitune.errors import UserError
from mitune.statistics import wilson
from mitune.survey.simulation import (
    Respondents,
    differences_by_survey,
    expected_difference,
    simulate,
)
from mitune.survey.storage import as_table
from mitune.survey.study import Study

POPULATION = 1000
_REPEATS = 500
_LEVEL = 0.05
_WANTED = 0.8


def power(
    study: Study,
    respondents: Respondents,
    score: str,
    pair: tuple[str, str],
    counts: Sequence[int],
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, float]:
    """Chance that so many surveys tell a pair of options apart, and how many do in 4 of 5 cases.

    `POPULATION` surveys are simulated, of which `counts` are drawn many times over: a row for each
    count with `surveys`, `power` and its 95 % Wilson interval `low`, `high`. Told apart: a t-test
    on the difference within each survey has p < 0.05 and the sign of the population. Differences
    are moved to their exact mean, which a thousand surveys do not have where it is small. The
    number needed is ((z_.975 + z_.8) sd / mean)^2 of them, infinite where there is no difference.

    Raises
    ------
    UserError
        If the study has not these options, or not this score.
    """
    options = list(dict.fromkeys(study.table["option"]))
    for option in pair:
        if option not in options:
            raise UserError(f"no option {option!r} in the survey; choose of {', '.join(options)}")
    rows = as_table(simulate(study, respondents, score, POPULATION, rng))
    mean = expected_difference(study, respondents, score, *pair)
    differences = differences_by_survey(rows, *pair).to_numpy(np.float64)
    differences = differences - differences.mean() + mean
    table = []
    for count in counts:
        drawn = rng.choice(differences, (_REPEATS, count))
        with warnings.catch_warnings():
            # Of few surveys all may have the same difference.
            warnings.simplefilter("ignore", RuntimeWarning)
            test = scipy.stats.ttest_1samp(drawn, 0.0, axis=1)
        right = np.sign(drawn.mean(1)) == np.sign(mean)
        wins = int((right & (test.pvalue < _LEVEL)).sum())
        low, high = wilson(wins, _REPEATS)
        table.append({"surveys": count, "power": wins / _REPEATS, "low": low, "high": high})
    return pd.DataFrame(table), needed(mean, float(differences.std(ddof=1)))


def needed(mean: float, deviation: float) -> float:
    """Surveys for power 0.8 at level 0.05, by the normal approximation."""
    if mean == 0:
        return math.inf
    reach = float(scipy.stats.norm.ppf(1 - _LEVEL / 2) + scipy.stats.norm.ppf(_WANTED))
    return float(math.ceil((reach * deviation / mean) ** 2))
