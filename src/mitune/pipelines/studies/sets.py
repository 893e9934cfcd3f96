"""The set of every arm, chosen from candidates that are there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from mitune.errors import UserError
from mitune.pipelines.studies.arm import StudyArm, Undecided
from mitune.pipelines.studies.parameters import Studies

REAL = "real"


def compose_sets(
    measurements: pd.DataFrame, studies: Studies, later_scores: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Sets of all arms and repeats, one below the other.

    `arm`, `repeat`, `pool` (the round whose candidates they are, or `real`), and the columns of
    `Strategy`; a column that an arm has no use for is empty there. Of a real picture `image_index`
    counts through all of them, and its caption comes with it.

    Parameters
    ----------
    measurements
        Candidates of round 1 with estimates of MI and metrics.
    studies
        The arms.
    later_scores
        Candidates of round 2 with estimates of MI.

    Raises
    ------
    UserError
        Naming the arm that cannot choose, and why.
    """
    pools = {1: measurements, 2: later_scores}
    tables = []
    for name, arm in studies.trained.items():
        if arm.selection is None:
            continue
        pool = pools[arm.round]
        if pool is None:
            raise UserError(f"arms.{name}.round: there are no candidates of round {arm.round} here")
        for repeat in range(studies.repeats):
            try:
                chosen = _chosen(arm, pool, repeat)
            except UserError as error:
                raise UserError(f"arms.{name}.{error}") from None
            tables.append(chosen.assign(arm=name, repeat=repeat))
    if not tables:
        raise UserError("studies.arms: no arm has a selection; give one")
    return pd.concat(tables, ignore_index=True)


def set_of(sets: pd.DataFrame, arm: str, repeat: int) -> pd.DataFrame:
    """One arm's own lines, without the columns that it has no use for."""
    rows = sets[(sets["arm"] == arm) & (sets["repeat"] == repeat)]
    return rows.dropna(axis="columns", how="all").reset_index(drop=True)


def _chosen(arm: StudyArm, pool: pd.DataFrame, repeat: int) -> pd.DataFrame:
    offered = _offered(arm, pool)
    chosen = arm.chooser(repeat)(offered).assign(pool=f"round_{arm.round}")
    return chosen if arm.real is None else _mixed(chosen, arm.real, repeat)


def _offered(arm: StudyArm, pool: pd.DataFrame) -> pd.DataFrame:
    offered = pool
    if arm.categories:
        offered = offered[offered["category"].isin(arm.categories)]
        absent = sorted(set(arm.categories) - set(offered["category"]))
        if absent:
            raise UserError(f"categories: no candidates of {', '.join(absent)}; paint them first")
    if arm.images is not None:
        offered = offered[offered["image_index"] < arm.images]
        least = int(offered.groupby("prompt_id").size().min())
        if least < arm.images:
            raise UserError(f"images: {arm.images}, but there are {least} candidates of a prompt")
    if arm.undecided is not None:
        offered = _decided(offered, arm.undecided)
    return offered.reset_index(drop=True)


def _decided(offered: pd.DataFrame, undecided: Undecided) -> pd.DataFrame:
    """Without the prompts whose candidates have the smallest range of the score; ties by order."""
    if undecided.score not in offered:
        raise UserError(f"undecided.score: no score {undecided.score!r}; choose one that is made")
    by_prompt = offered.groupby("prompt_id", sort=False)[undecided.score]
    ranges = (by_prompt.max() - by_prompt.min()).sort_values(kind="stable")
    dropped = ranges.index[: round(undecided.share * len(ranges))]
    return offered[~offered["prompt_id"].isin(dropped)]


def _mixed(chosen: pd.DataFrame, share: float, repeat: int) -> pd.DataFrame:
    """As many lines as before, this share of them real pictures, the first there are."""
    count = round(share * len(chosen))
    kept = np.random.default_rng((repeat, len(chosen))).permutation(len(chosen))[count:]
    real = pd.DataFrame(
        {
            "prompt_id": [real_id(place) for place in range(count)],
            "category": REAL,
            "prompt": "",
            "image_index": range(count),
            "seed": 0,
            "rank": 1,
            "pool": REAL,
        }
    )
    return pd.concat([chosen.iloc[np.sort(kept)], real], ignore_index=True)


def real_id(place: int) -> str:
    """Of the shard that a real picture is in."""
    return f"{REAL}-{place:06}"


def described(sets: pd.DataFrame, scores: list[str]) -> Iterator[dict[str, object]]:
    """What is in each arm's set, over all repeats: numbers of things, and means of scores."""
    for name, rows in sets.groupby("arm", sort=False):
        of_one = rows[rows["repeat"] == 0]
        pictures = of_one[["pool", "prompt_id", "image_index"]].drop_duplicates()
        means = {f"set_{score}": rows[score].mean() for score in scores if score in rows}
        yield {
            "arm": name,
            "lines": len(of_one),
            "pictures": len(pictures),
            "set_prompts": of_one["prompt_id"].nunique(),
            "real": float((of_one["pool"] == REAL).mean()),
            **means,
        }
