"""How far estimates of MI and metrics agree within a prompt: Kendall's tau, AUC, intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mitune.ranking import (
    auc,
    kendall_tau,
    representative_tau,
    summarise_tau,
)
from mitune.statistics import Interval, prompt_bootstrap


def agreement(
    measurements: pd.DataFrame,
    estimates: Sequence[str],
    metrics: Sequence[str],
) -> pd.DataFrame:
    """One row per estimate and metric.

    `tau`: Kendall's tau-b on all candidates of a prompt, mean over prompts, undefined ones (a
    constant metric) counted as 0; `tau_defined` leaves them out and `undefined` counts them.
    `tau3`: the same on the first, middle and last of the MI ranking (MI-TUNE section 3.1), which
    is larger by construction and not comparable with `tau`. `auc`: chance that of two candidates
    with different metric values the estimate orders them right. `best` and `lowest`: mean metric
    of each prompt's first and last. Intervals are 95 % bootstrap intervals over prompts.
    """
    rows = []
    for estimate in estimates:
        for metric in metrics:
            taus = kendall_tau(measurements, estimate, metric)
            threes = representative_tau(measurements, estimate, metric)
            summary, three = summarise_tau(taus), summarise_tau(threes)
            tau = prompt_bootstrap(taus.fillna(0.0))
            tau3 = prompt_bootstrap(threes.fillna(0.0))
            area = _area(auc(measurements, estimate, metric).dropna())
            first, last = _ends(measurements, estimate, metric)
            rows.append(
                {
                    "estimate": estimate,
                    "metric": metric,
                    "prompts": summary.prompts,
                    "tau": tau.mean,
                    "tau_low": tau.low,
                    "tau_high": tau.high,
                    "tau_defined": summary.mean_defined,
                    "undefined": summary.undefined,
                    "tau3": tau3.mean,
                    "tau3_low": tau3.low,
                    "tau3_high": tau3.high,
                    "tau3_undefined": three.undefined,
                    "auc": area.mean,
                    "auc_low": area.low,
                    "auc_high": area.high,
                    "auc_prompts": area.prompts,
                    "best": first,
                    "lowest": last,
                    "mean": float(measurements.groupby("prompt_id")[metric].mean().mean()),
                }
            )
    return pd.DataFrame(rows)


def _area(areas: pd.Series) -> Interval:
    """Mean AUC over the prompts that have one; not a number if none has."""
    if areas.empty:
        return Interval(np.nan, np.nan, np.nan, np.nan, prompts=0)
    return prompt_bootstrap(areas)


def _ends(measurements: pd.DataFrame, estimate: str, metric: str) -> tuple[float, float]:
    groups = measurements.groupby("prompt_id")
    best = measurements.loc[groups[estimate].idxmax(), metric].mean()
    lowest = measurements.loc[groups[estimate].idxmin(), metric].mean()
    return float(best), float(lowest)


@dataclass(frozen=True, eq=False)
class Variant:
    """One way to sum stored increments: scores (prompt_id, image_index, `name`), and facts."""

    name: str
    scores: pd.DataFrame
    facts: dict[str, object]


def replay(
    shards: Mapping[str, pd.DataFrame],
    windows: Sequence[tuple[float, float]],
    draws: Sequence[int],
) -> Iterator[Variant]:
    """Every estimator by window of log-SNR and number of draws, without a model.

    Fewer draws are taken evenly over the strata and reweighted. An increment stands for one
    stratum; `evaluations` counts the network evaluations per image that it costs: none for the
    path, whose evaluations are those of the sampler.
    """
    first = next(iter(shards.values()))
    for estimator, grid in first.attrs["log_snr"].items():
        log_snr = np.asarray(grid)
        for low, high in windows:
            inside = np.flatnonzero((log_snr >= low) & (log_snr <= high))
            for count in (0,) if estimator == "path" else draws:
                if count > len(inside) or len(inside) == 0:
                    continue
                kept = inside
                if count:
                    places = (np.arange(count) + 0.5) * len(inside) / count
                    kept = inside[places.astype(int)]
                name = f"{estimator} [{low:g}, {high:g}]" + (f" {count}" if count else "")
                facts: dict[str, object] = {
                    "name": name,
                    "estimator": estimator,
                    "low": low,
                    "high": high,
                    "increments": count or len(kept),
                    "evaluations": first.attrs["evaluations_per_increment"][estimator] * count,
                }
                yield Variant(name, _resum(shards, estimator, kept, len(inside), name), facts)


def _resum(
    shards: Mapping[str, pd.DataFrame],
    estimator: str,
    kept: NDArray[np.intp],
    total: int,
    name: str,
) -> pd.DataFrame:
    parts = []
    for shard in shards.values():
        increments = np.stack(list(shard[f"{estimator}_increments"]))
        score = increments[:, kept].sum(1) * total / len(kept)
        parts.append(
            pd.DataFrame(
                {
                    "prompt_id": shard["prompt_id"].to_numpy(),
                    "image_index": shard["image_index"].to_numpy(),
                    name: score,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
