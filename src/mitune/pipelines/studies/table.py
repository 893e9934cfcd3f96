"""Studies as tables: every arm with its interval, differences, what of the papers holds here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from mitune.backbones import AdapterRef, ModelRef
from mitune.comparison import paired, summarise
from mitune.datasets.shards import Shards
from mitune.errors import UserError
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.studies.measuring import read_measured
from mitune.pipelines.studies.parameters import Claim, Studies
from mitune.pipelines.studies.sets import described
from mitune.statistics import Interval

HOLDS, REVERSED, UNDECIDED = "holds", "is the other way round", "cannot be told"


def tabulate(
    shards: Shards,
    test_prompts: pd.DataFrame,
    sets: pd.DataFrame,
    trained: Mapping[str, AdapterRef],
    merged: Mapping[str, AdapterRef],
    model: ModelRef,
    evaluation: Evaluation,
    metrics: Metrics,
    studies: Studies,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Results (study, model, category, metric), claims, and what was in the sets."""
    adapters = {**trained, **merged}
    given = (shards, test_prompts, adapters, model, evaluation, metrics, studies)
    tables = read_measured(*given)
    results = pd.concat(_results(tables, metrics, studies), ignore_index=True)
    claims = pd.DataFrame(_claims(tables, metrics, studies), columns=_CLAIM_COLUMNS)
    return results, claims, pd.DataFrame(described(sets, list(metrics.scorers)))


def _results(
    tables: Mapping[str, pd.DataFrame], metrics: Metrics, studies: Studies
) -> Iterator[pd.DataFrame]:
    """As `summarise`, with `difference` to the arm that a study holds the others against.

    `between`: the standard deviation of the means of an arm's repeats.
    """
    for name, study in studies.shown.items():
        arms = list(dict.fromkeys([*study.arms, study.against]))
        summary = summarise({arm: tables[arm] for arm in arms}, metrics.scorers, study.against)
        summary = summary[summary["model"].isin(study.arms)]
        spread = {
            (arm, metric): float(tables[arm].groupby("repeat")[metric].mean().std())
            for arm in arms
            for metric in metrics.scorers
        }
        pairs = zip(summary["model"], summary["metric"], strict=True)
        yield summary.assign(study=name, between=[spread[pair] for pair in pairs])


_CLAIM_COLUMNS = ["study", *Claim.model_fields, "mean", "low", "high", "verdict"]


def _claims(
    tables: Mapping[str, pd.DataFrame], metrics: Metrics, studies: Studies
) -> Iterator[dict[str, Any]]:
    for name, study in studies.shown.items():
        for claim in study.claims:
            pair = {name: _of(tables[name], claim.category) for name in (claim.higher, claim.lower)}
            found = paired(pair, claim.higher, claim.lower, metrics.headline)
            interval = {"mean": found.mean, "low": found.low, "high": found.high}
            yield {"study": name, **claim.model_dump(), **interval, "verdict": verdict(found)}


def _of(table: pd.DataFrame, category: str | None) -> pd.DataFrame:
    if category is None:
        return table
    rows = table[table["category"] == category]
    if rows.empty:
        raise UserError(f"studies: a claim is about category {category!r}, which has no prompts")
    return rows


def verdict(difference: Interval) -> str:
    """What a difference says of the claim that it is above zero."""
    if difference.low > 0:
        return HOLDS
    return REVERSED if difference.high < 0 else UNDECIDED
