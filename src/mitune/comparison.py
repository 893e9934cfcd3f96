"""Models against each other on a test set: means, differences paired by prompt, intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from mitune.statistics import Interval, prompt_bootstrap

ALL = "all"


def describe(table: pd.DataFrame, metrics: Iterable[str]) -> pd.DataFrame:
    """Mean of each metric per category and over all, with 95 % bootstrap intervals over prompts.

    Columns: category (`all` for everything; pictures without one count there alone), metric,
    mean, low, high, prompts, images.
    """
    categories = [c for c in dict.fromkeys(table["category"]) if c]
    rows = [
        {"category": category, "metric": metric, **_described(table, category, metric)}
        for metric in metrics
        for category in [*categories, ALL]
    ]
    return pd.DataFrame(rows)


def summarise(
    evaluations: Mapping[str, pd.DataFrame], metrics: Iterable[str], baseline: str
) -> pd.DataFrame:
    """Mean of each metric per model and category, with 95 % bootstrap intervals over prompts.

    Columns: model, category (`all` for everything), metric, mean, low, high, prompts, images, and
    `difference` with its interval: paired by prompt to `baseline` on the same seeds.
    """
    rows = []
    for model, table in evaluations.items():
        for metric in metrics:
            for category in [*dict.fromkeys(table["category"]), ALL]:
                rows.append(
                    {
                        "model": model,
                        "category": category,
                        "metric": metric,
                        **_compare(table, evaluations[baseline], category, metric),
                    }
                )
    return pd.DataFrame(rows)


def categories_of(summary: pd.DataFrame) -> list[str]:
    """Categories worth a column of their own, `all` last; of one alone, that one and not `all`."""
    named = [c for c in dict.fromkeys(summary["category"]) if c != ALL]
    return named if len(named) == 1 else [*named, ALL]


def paired(
    evaluations: Mapping[str, pd.DataFrame], first: str, second: str, metric: str
) -> Interval:
    """First - second over all prompts, paired by prompt, with its bootstrap interval."""
    a, b = (_per_prompt(evaluations[name], ALL, metric) for name in (first, second))
    return _interval(a - b)


def mean(evaluation: pd.DataFrame, metric: str) -> Interval:
    """Mean over all prompts, with its bootstrap interval."""
    return _interval(_per_prompt(evaluation, ALL, metric))


def _compare(
    table: pd.DataFrame, base: pd.DataFrame, category: str, metric: str
) -> dict[str, float | int]:
    per_prompt = _per_prompt(table, category, metric)
    difference = _interval(per_prompt - _per_prompt(base, category, metric))
    return {
        **_described(table, category, metric),
        "difference": difference.mean,
        "difference_low": difference.low,
        "difference_high": difference.high,
    }


def _described(table: pd.DataFrame, category: str, metric: str) -> dict[str, float | int]:
    interval = _interval(_per_prompt(table, category, metric))
    return {
        "mean": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "prompts": interval.prompts,
        "images": len(_of(table, category)),
    }


def _of(table: pd.DataFrame, category: str) -> pd.DataFrame:
    return table if category == ALL else table[table["category"] == category]


def _per_prompt(table: pd.DataFrame, category: str, metric: str) -> pd.Series:
    return _of(table, category).groupby("prompt_id")[metric].mean()


def _interval(per_prompt: pd.Series) -> Interval:
    return prompt_bootstrap(per_prompt)
