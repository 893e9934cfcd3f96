"""Scores that are kept: one row per picture and prompt, known by content and by metric.

Shards are never changed: what is new comes in new ones, so that another metric or another picture
costs itself alone.
"""

from __future__ import annotations

import hashlib

import pandas as pd

from mitune.datasets.shards import Shards
from mitune.metrics import MetricConfig

_IDENTITY = ["digest", "prompt"]


def new_shard(config: MetricConfig, key: str, scored: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """`scored` (digest, prompt, score) under a name of its own."""
    table = scored.reset_index(drop=True)
    table.attrs = {"key": key}
    return {f"{_prefix(config, key)}{_short(table[_IDENTITY].to_json())}": table}


def stored_scores(config: MetricConfig, key: str, shards: Shards) -> pd.DataFrame:
    """All scores of a metric: digest, prompt, score. Broken shards count as none."""
    names = [name for name in shards if name.startswith(_prefix(config, key))]
    found = [shards.made_under(name, key) for name in names]
    tables = [table for table in found if table is not None]
    for table in tables:
        table.attrs = {}
    empty = pd.DataFrame(columns=[*_IDENTITY, "score"], dtype=object)
    return pd.concat(tables).drop_duplicates(_IDENTITY) if tables else empty


def unscored(pictures: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Rows of `pictures` that have no score; of equal pictures of a prompt, one."""
    scored = pd.MultiIndex.from_frame(scores[_IDENTITY])
    asked = pd.MultiIndex.from_frame(pictures[_IDENTITY])
    return pictures[~asked.isin(scored)].drop_duplicates(_IDENTITY)


def matched(pictures: pd.DataFrame, scores: pd.DataFrame) -> pd.Series:
    """The score of every row of `pictures`, NaN where there is none."""
    return pictures[_IDENTITY].merge(scores, "left", _IDENTITY)["score"]


def _prefix(config: MetricConfig, key: str) -> str:
    return f"{config.kind}_{key}_"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
