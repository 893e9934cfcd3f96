"""Options on one scale, from who was selected where who was not: Bradley-Terry (1952)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mitune import libraries
from mitune.survey.resampling import Estimate
from mitune.survey.shares import described, resampling_of

_RESAMPLES = 300  # a fit each
_PRIOR = 0.01
"""A weak prior that keeps an option finite which never lost or never won."""


def strengths(chosen: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Strength of each option in log-odds against the first, with 95 % intervals over surveys.

    `chosen`: as of `shares.selections`. In a question each selected option wins once against each
    that was shown and not selected; exp(strength) are the odds that one is selected where the
    other is not. Several wins of one answer are not independent, which the resampling of whole
    surveys allows for. Columns: option, strength, low, high, surveys, answers.
    """
    resampling = resampling_of(chosen, rng)
    wins = _wins_by_survey(chosen, list(resampling.surveys.index))
    fitted = _fit(wins.sum(0))
    replicates = np.stack(
        [_fit(np.tensordot(counts, wins, 1)) for counts in resampling.counts[:_RESAMPLES]]
    )
    rows = []
    for place, option in enumerate(chosen):
        answers = int(chosen[option].notna().sum())
        estimate = Estimate(float(fitted[place]), replicates[:, place], len(wins), answers)
        rows.append({"option": option, **described("strength", estimate)})
    return pd.DataFrame(rows)


def _wins_by_survey(chosen: pd.DataFrame, surveys: list[str]) -> NDArray[np.float64]:
    """How often an option beat another, (surveys, options, options)."""
    values = chosen.to_numpy(np.float64)
    beaten = (values == 1)[:, :, None] & (values == 0)[:, None, :]
    wins = np.zeros((len(surveys), chosen.shape[1], chosen.shape[1]))
    places = pd.Index(surveys).get_indexer(chosen.index.get_level_values("survey"))
    np.add.at(wins, places, beaten)
    return wins


def _fit(wins: NDArray[np.float64]) -> NDArray[np.float64]:
    log_odds = libraries.choix.ilsr_pairwise_dense(wins, alpha=_PRIOR, max_iter=1000)
    return log_odds - log_odds[0]
