"""Drop candidates that cannot win any more, before they are scored to the end: a replay.

Candidates of a prompt meet the same noise at the same levels, so increments are compared pair by
pair, and a few of them tell candidates apart that are far apart. What is stored of finished
candidates says what a race would have cost and what it would have chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Protocol

import numpy as np
import pandas as pd
import scipy
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Rule(Protocol):
    """Who goes on after a rung."""

    @property
    def name(self) -> str: ...

    def goes_on(self, seen: Array, total: int, winners: int) -> NDArray[np.bool_]:
        """(M,): of `seen` (M, k), the increments so far of those still in the race.

        `total` increments make a score, of which the `winners` highest are wanted.
        """
        ...


@dataclass(frozen=True)
class Bound:
    """Those go on that may still win: the chance that one is dropped wrongly is `error` at most.

    With x_ij the increments of candidate i and m the last winner's so far, i is dropped where

        mean_j x_ij + t sqrt(2 s^2 / k (1 - k / n)) < mean_j x_mj,

    s^2 the variance of x_ij - mean_j x_ij - mean_i x_ij (two-way residuals, (M - 1)(k - 1) degrees
    of freedom), n `total`, t Student's quantile 1 - `error`. It holds for increments drawn without
    replacement from exchangeable ones: for strata in a spread order, not for steps of a path. The
    levels' own differences are within s^2, which makes it the safer. Per pair and rung.
    """

    error: float

    @property
    def name(self) -> str:
        return f"error {self.error:g}"

    def goes_on(self, seen: Array, total: int, winners: int) -> NDArray[np.bool_]:
        """As `Rule`."""
        count, k = seen.shape
        means = seen.mean(1)
        if count <= winners or k < 2:
            return np.ones(count, bool)
        freedom = (count - 1) * (k - 1)
        residuals = seen - means[:, None] - seen.mean(0) + seen.mean()
        variance = (residuals**2).sum() / freedom
        quantile = scipy.stats.t.ppf(1 - self.error, freedom)
        margin = quantile * np.sqrt(2 * variance / k * (1 - k / total))
        goes_on: NDArray[np.bool_] = means + margin >= np.sort(means)[-winners]
        return goes_on


@dataclass(frozen=True)
class Share:
    """The best `share` goes on, rounded up, and never fewer than win: successive rejects.

    A half is sequential halving (Karnin et al., 2013). It bounds the cost, not the error.
    """

    share: float

    @property
    def name(self) -> str:
        return f"best {self.share:g}"

    def goes_on(self, seen: Array, total: int, winners: int) -> NDArray[np.bool_]:
        """As `Rule`."""
        kept = max(winners, ceil(self.share * len(seen)))
        goes_on = np.zeros(len(seen), bool)
        goes_on[np.argsort(-seen.sum(1), kind="stable")[:kept]] = True
        return goes_on


def race(
    increments: Array, rungs: Sequence[int], rule: Rule, winners: int
) -> tuple[NDArray[np.intp], int]:
    """Who wins, best first, and how many increments were taken of all candidates together.

    `increments` (M, n) in the order in which they are taken; `rungs` are the numbers of them after
    which `rule` is asked.
    """
    total = increments.shape[1]
    still = np.arange(len(increments))
    taken = before = 0
    for rung in rungs:
        taken += len(still) * (rung - before)
        before = rung
        still = still[rule.goes_on(increments[still, :rung], total, winners)]
    taken += len(still) * (total - before)
    scores = increments[still].sum(1)
    return still[np.argsort(-scores, kind="stable")[:winners]], taken


def spread(count: int) -> NDArray[np.intp]:
    """0 .. count - 1 in an order whose every beginning is spread evenly (van der Corput's)."""
    places = np.arange(count)
    reversed_bits = np.zeros(count)
    scale = 0.5
    while places.any():
        reversed_bits += scale * (places % 2)
        places //= 2
        scale /= 2
    return np.argsort(np.argsort(reversed_bits, kind="stable"), kind="stable")


def replay_races(
    shards: Mapping[str, pd.DataFrame], rules: Sequence[Rule], rungs: int, winners: int
) -> pd.DataFrame:
    """One row per estimator and rule: what it costs, and what of the winners' information it keeps.

    `evaluations`: increments that were taken, as a share of all. `kept`: the information of those
    chosen over that of the true winners, summed over prompts. `gain_kept`: the same above the mean
    of a prompt's candidates, which choosing at random has too: the stricter. `same`: share of true
    winners that were chosen. Rungs divide the increments evenly. Draws come in an order that is
    spread over the levels; the increments of the path in that of its steps, and no `Bound` on it.
    """
    first = next(iter(shards.values()))
    rows = []
    for estimator, levels in first.attrs["log_snr"].items():
        on_path = estimator == "path"
        order = np.arange(len(levels)) if on_path else spread(len(levels))
        places = [len(levels) * (n + 1) // (rungs + 1) for n in range(rungs)]
        tables = [
            np.stack(list(shard[f"{estimator}_increments"])).astype(np.float64)[:, order]
            for shard in shards.values()
        ]
        for rule in rules:
            if not (on_path and isinstance(rule, Bound)):
                costs = _outcome(tables, sorted({p for p in places if p}), rule, winners)
                rows.append({"estimator": estimator, "rule": rule.name, **costs})
    return pd.DataFrame(rows)


def _outcome(
    tables: Sequence[Array], rungs: Sequence[int], rule: Rule, winners: int
) -> dict[str, float]:
    taken = chosen = best = mean = same = 0.0
    for increments in tables:
        scores = increments.sum(1)
        found, count = race(increments, rungs, rule, winners)
        true = np.argsort(-scores, kind="stable")[:winners]
        taken += count
        chosen += scores[found].sum()
        best += scores[true].sum()
        mean += scores.mean() * len(true)
        same += len(np.intersect1d(found, true)) / len(true)
    return {
        "evaluations": taken / sum(increments.size for increments in tables),
        "kept": chosen / best,
        "gain_kept": (chosen - mean) / (best - mean),
        "same": same / len(tables),
    }
