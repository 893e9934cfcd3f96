"""How far people agree with the scores, and with each other."""

from __future__ import annotations

import krippendorff
import numpy as np
import pandas as pd

from mitune.ranking import kendall_tau, summarise_tau
from mitune.statistics import prompt_bootstrap
from mitune.survey.row import Kind

_PICTURE = ["prompt_id", "picture"]


def tau_with_scores(answers: pd.DataFrame, scores: pd.DataFrame, study: Kind) -> pd.DataFrame:
    """Kendall's tau-b within prompts, of the share of people who select a picture and its score.

    `scores`: prompt_id, picture, score, value. Columns: score, tau, low, high (bootstrap over
    prompts), prompts, undefined: prompts where all pictures were selected, or scored, alike; they
    count as 0. Pictures of a metrics survey are the best of some score each: within them tau is
    lower than among all candidates.
    """
    given = answers[(answers["study"] == study) & answers["selected"].notna()]
    seen = given.drop_duplicates(["survey", "question", "picture"])
    share = seen.assign(people=seen["selected"].astype(float)).groupby(_PICTURE)["people"].mean()
    wide = scores.pivot(index=_PICTURE, columns="score", values="value")
    known = wide.join(share, how="inner").reset_index()
    rows = []
    for name in wide.columns:
        taus = kendall_tau(known.dropna(subset=[name]), name, "people")
        if taus.empty:
            continue
        tau, summary = prompt_bootstrap(taus.fillna(0.0)), summarise_tau(taus)
        rows.append(
            {
                "score": name,
                "tau": tau.mean,
                "low": tau.low,
                "high": tau.high,
                "prompts": summary.prompts,
                "undefined": summary.undefined,
            }
        )
    columns = ["score", "tau", "low", "high", "prompts", "undefined"]
    return pd.DataFrame(rows, columns=columns)


def alpha_of_people(answers: pd.DataFrame, study: Kind) -> float:
    """Krippendorff's alpha of surveys on pictures, nominal: 1 is agreement, 0 is chance.

    Not a number if no picture was judged by two, or all judgements are the same. Official files
    do not name pictures: there the option of a prompt stands for it.
    """
    given = answers[(answers["study"] == study) & answers["selected"].notna()]
    unit = given["prompt_id"] + ":" + given["picture"].fillna(given["option"])
    table = given.assign(unit=unit, answer=given["selected"].astype(float))
    matrix = table.pivot_table(index="survey", columns="unit", values="answer").to_numpy()
    judged = (~np.isnan(matrix)).sum(0) > 1
    values = np.unique(matrix[:, judged][~np.isnan(matrix[:, judged])])
    if len(values) < 2:
        return float("nan")
    return float(krippendorff.alpha(matrix[:, judged], level_of_measurement="nominal"))
