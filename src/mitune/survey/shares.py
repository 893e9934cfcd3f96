"""How often each option is selected: MI-TUNE's Tables 6 and 7, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from mitune.survey.resampling import Estimate, Resampling, average
from mitune.survey.row import Kind

AVERAGE = "average"
NOTHING = "none of them"
_REFERENCE: Mapping[Kind, tuple[str, ...]] = {
    "metrics": ("MI", "mi"),
    "methods": ("base", "VNL"),  # the second of each: in the files of the released notebooks
}
_AVERAGED: Mapping[Kind, str] = {"metrics": "group", "methods": "category"}
_MOST_LISTED = 4  # options, whose subsets are listed: 16 lines


def selections(answers: pd.DataFrame, study: Kind) -> pd.DataFrame:
    """Answers of one study: a row per question answered, a column of truth values per option.

    The index names survey, group, question, category and prompt_id. An option that was not shown
    is missing. First comes what others are compared with: MI, or the base model.
    """
    given = answers[(answers["study"] == study) & answers["selected"].notna()]
    index = ["survey", "group", "question", "category", "prompt_id"]
    table = given.assign(selected=given["selected"].astype(float))
    order = sorted(set(given["option"]), key=lambda name: (name not in _REFERENCE[study], name))
    return table.pivot_table(index=index, columns="option", values="selected", sort=True)[order]


def shares(chosen: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Share of answers in which each option was selected, by group and by category.

    `chosen`: as of `selections`. Columns: by (`group` or `category`), part (its name; `average`
    is the unweighted mean over all, as the papers have it), option, share, low, high (95 %,
    surveys resampled within their group), surveys, answers. With few options there is a row for
    each subset of them that was selected, too: `only MI+HPS`, or `none of them`.
    """
    resampling = resampling_of(chosen, rng)
    columns = {str(option): chosen[option].dropna() for option in chosen}
    if len(columns) <= _MOST_LISTED:
        subsets = _subsets(chosen.dropna())
        for name in sorted(set(subsets), key=lambda n: (n != NOTHING, n.count("+"), n)):
            columns[f"only {name}" if name != NOTHING else name] = (subsets == name).astype(float)
    rows = [
        {"by": by, "part": part, "option": option, **described("share", estimate)}
        for option, values in columns.items()
        for by in ("group", "category")
        for part, estimate in _parts(values, by, resampling)
    ]
    return pd.DataFrame(rows)


def overall(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of averages as published: over groups of people in Table 6, over categories in Table 7.

    `table`: as of `shares`, with `study`.
    """
    return table[(table["part"] == AVERAGE) & (table["by"] == table["study"].map(_AVERAGED))]


def differences(chosen: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Share of each option less that of the first, over the questions that had both.

    Columns: option, other, difference, low, high, surveys, answers. Paired: both were answered by
    the same person on the same prompt.
    """
    resampling = resampling_of(chosen, rng)
    first, *others = chosen
    rows = [
        {"option": option, "other": first, **described("difference", resampling.mean(paired))}
        for option in others
        for paired in ((chosen[option] - chosen[first]).dropna(),)
        if len(paired)
    ]
    return pd.DataFrame(rows)


def resampling_of(chosen: pd.DataFrame, rng: np.random.Generator) -> Resampling:
    """Of the surveys that answered."""
    named = chosen.index.to_frame(index=False).drop_duplicates("survey")
    return Resampling(named.set_index("survey")["group"], rng)


def _subsets(chosen: pd.DataFrame) -> pd.Series:
    """Per answer `MI+HPS`, or `none of them`."""
    names = map(str, chosen)
    parts = [np.where(chosen[name] > 0, f"{name}+", "") for name in names]
    joined = pd.Series(np.sum(np.array(parts, dtype=object), axis=0), chosen.index, dtype=object)
    return joined.str.removesuffix("+").replace("", NOTHING)


def described(name: str, estimate: Estimate) -> dict[str, float | int]:
    """An estimate as columns, its value called `name`."""
    low, high = estimate.interval
    counts = {"surveys": estimate.surveys, "answers": estimate.answers}
    return {name: estimate.value, "low": low, "high": high, **counts}


def _parts(values: pd.Series, by: str, resampling: Resampling) -> Iterator[tuple[str, Estimate]]:
    parts = {
        str(part): resampling.mean(rows) for part, rows in values.groupby(level=by, sort=False)
    }
    yield from parts.items()
    yield AVERAGE, average(list(parts.values()), values.index.unique("survey").size)
