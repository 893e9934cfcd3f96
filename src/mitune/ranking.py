"""Rank candidates by a score, and ask how well the order agrees with a judge.

Frames have a row per candidate: `prompt_id`, `image_index`, and named score columns.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from mitune.errors import UserError


@dataclass(frozen=True)
class TauSummary:
    """Kendall's tau over prompts, with both ways to treat prompts where it is undefined.

    `mean` counts an undefined tau (all judged alike, or a missing judgement) as 0, "no agreement
    information", and is the number to report; `mean_defined` leaves those prompts out and is NaN
    if none is left. Both in [-1, 1].
    """

    mean: float
    mean_defined: float
    undefined: int
    prompts: int


def order(frame: pd.DataFrame, score: str, descending: bool = True) -> pd.DataFrame:
    """Candidates by prompt and score, best first, with `rank` 1..M; ties by lower image index.

    Prompts keep the order of their first appearance. Raises ValueError for an unknown column or
    a missing score, naming the prompt.
    """
    check_scores(frame, score)
    appearance = pd.Series(pd.factorize(frame["prompt_id"])[0], index=frame.index)
    signed = -frame[score] if descending else frame[score]
    keys = np.lexsort((frame["image_index"], signed, appearance))
    ordered = frame.iloc[keys].reset_index(drop=True)
    ordered["rank"] = ordered.groupby("prompt_id", sort=False).cumcount() + 1
    return ordered


def representatives(frame: pd.DataFrame, score: str) -> pd.DataFrame:
    """The first, middle and last candidate of each prompt, ranks 1, ceil(M/2), M (1, 25, 50).

    The rows of `order` with a column `representative`. Raises ValueError for fewer than three
    candidates in a prompt.
    """
    ordered = order(frame, score)
    sizes = ordered.groupby("prompt_id", sort=False)["rank"].transform("size")
    if (sizes < 3).any():
        prompt = ordered.loc[sizes < 3, "prompt_id"].iloc[0]
        raise UserError(f"representatives: prompt {prompt!r} has fewer than three candidates")
    middle = (sizes + 1) // 2
    names = np.select(
        [ordered["rank"] == 1, ordered["rank"] == middle, ordered["rank"] == sizes],
        ["first", "middle", "last"],
        "",
    )
    chosen: pd.DataFrame = ordered.assign(representative=names)[names != ""]
    return chosen.reset_index(drop=True)


def kendall_tau(frame: pd.DataFrame, score: str, judge: str) -> pd.Series:
    """Kendall's tau-b of two columns within each prompt; NaN where it is undefined.

    Undefined: a constant column, a missing value, or fewer than two candidates.
    """
    kendalltau = scipy.stats.kendalltau
    taus = {
        prompt: float(kendalltau(rows[score], rows[judge]).statistic) if len(rows) > 1 else np.nan
        for prompt, rows in frame.groupby("prompt_id", sort=False)
    }
    return pd.Series(taus, name="tau", dtype=float)


def representative_tau(frame: pd.DataFrame, score: str, judge: str) -> pd.Series:
    """Tau-b between the ranks 1, middle, last by `score` and `judge` (MI-TUNE 3.1, App. J).

    Not comparable with the tau over all candidates: far apart ranks agree more easily (bivariate
    normal, correlation 0.3, M = 50: 0.47 against 0.20). Report both.
    """
    chosen = representatives(frame, score)
    return kendall_tau(chosen.assign(_place=-chosen["rank"]), "_place", judge)


def summarise_tau(taus: pd.Series) -> TauSummary:
    """One number for many prompts, and how many of them had no tau."""
    return TauSummary(
        mean=float(taus.fillna(0.0).mean()),
        mean_defined=float(taus.mean()),
        undefined=int(taus.isna().sum()),
        prompts=len(taus),
    )


def auc(frame: pd.DataFrame, score: str, judge: str) -> pd.Series:
    """P(score_i > score_j | judge_i > judge_j) within each prompt, ties in the score count 1/2.

    For a binary judge this is the area under the ROC curve; for a continuous one, its extension
    to all pairs that the judge tells apart. NaN if it tells none apart or a value is missing.
    """
    areas = {
        prompt: _concordance(
            rows[score].to_numpy(dtype=np.float64), rows[judge].to_numpy(dtype=np.float64)
        )
        for prompt, rows in frame.groupby("prompt_id", sort=False)
    }
    return pd.Series(areas, name="auc", dtype=float)


def check_scores(frame: pd.DataFrame, score: str) -> None:
    """Raises ValueError if there are no candidates, or `score` is not one number for each."""
    keys = ("prompt_id", "image_index")
    missing = [key for key in keys if key not in frame.columns]
    if missing:
        raise UserError(f"candidates: column {missing[0]!r} is missing")
    if frame.empty:
        raise UserError("candidates: the frame has no rows")
    if score not in frame.columns:
        numeric = frame.select_dtypes("number").columns
        available = ", ".join(str(name) for name in numeric if name not in keys)
        raise UserError(f"score: no column {score!r}; available: {available or 'none'}")
    absent = frame[score].isna()
    if absent.any():
        prompt = frame.loc[absent, "prompt_id"].iloc[0]
        raise UserError(f"score: {score!r} is NaN for {absent.sum()} candidates, first {prompt!r}")


def _concordance(score: np.ndarray, judge: np.ndarray) -> float:
    if np.isnan(score).any() or np.isnan(judge).any():
        return float("nan")
    above = judge[:, None] > judge[None, :]
    if not above.any():
        return float("nan")
    wins = (score[:, None] > score[None, :]) + 0.5 * (score[:, None] == score[None, :])
    return float(wins[above].mean())
