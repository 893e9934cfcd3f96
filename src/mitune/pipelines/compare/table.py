"""All arms side by side: every measure at both guidances, differences, costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple, TypeAlias

import pandas as pd

from mitune.arm import Arm
from mitune.comparison import mean, paired
from mitune.metrics.features import Features, Moments
from mitune.pipelines.compare.facts import Facts
from mitune.pipelines.quality.parameters import QualitySettings, embedder_name
from mitune.pipelines.shared.metrics import Metrics

DEFAULT, OWN = "default", "own best"
GUIDANCES = (DEFAULT, OWN)
_YARDSTICKS = ("base", "sft", "sft_random")
_Seen: TypeAlias = Mapping[str, Features | Moments]


class Entry(NamedTuple):
    """What there is of an arm, in the order in which nodes hand it on."""

    facts: Facts
    default: pd.DataFrame
    own: pd.DataFrame
    seen_at_default: _Seen
    seen_at_own: _Seen

    @property
    def evaluations(self) -> dict[str, pd.DataFrame]:
        """Scores per image, by guidance."""
        return {DEFAULT: self.default, OWN: self.own}

    @property
    def seen(self) -> dict[str, _Seen]:
        """What the images look like, by guidance."""
        return {DEFAULT: self.seen_at_default, OWN: self.seen_at_own}


def tabulate(arms: tuple[Arm, ...]) -> Callable[..., tuple[pd.DataFrame, ...]]:
    """Node function over the parts of `Entry` of each arm in turn; the first is the base."""

    def tabulate_arms(
        metrics: Metrics, quality: QualitySettings, reference: _Seen, *parts: Any
    ) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Results and differences, long; costs, a row per arm."""
        tested = by_arm(arms, parts)
        results = pd.DataFrame(_results(tested, metrics, quality, reference))
        differences = pd.DataFrame(_differences(tested, metrics))
        return results, differences, costs(tested)

    return tabulate_arms


def by_arm(arms: Sequence[Arm], parts: Sequence[Any]) -> dict[str, Entry]:
    """`Entry` by name, of the parts of all arms one after the other."""
    size = len(Entry._fields)
    starts = range(0, len(parts), size)
    every = [Entry(*parts[start : start + size]) for start in starts]
    return dict(zip((arm.name for arm in arms), every, strict=True))


def _results(
    tested: Mapping[str, Entry], metrics: Metrics, quality: QualitySettings, reference: _Seen
) -> Iterator[dict[str, Any]]:
    """`rewarded`: whether the arm has seen this very measure before."""
    for name, arm in tested.items():
        for guidance in GUIDANCES:
            where = {"model": name, "guidance": guidance}
            table, seen = arm.evaluations[guidance], arm.seen[guidance]
            for metric in metrics.scorers:
                found = mean(table, metric)
                yield {
                    **where,
                    "measure": metric,
                    "value": found.mean,
                    "low": found.low,
                    "high": found.high,
                    "prompts": found.prompts,
                    "images": len(table),
                    "rewarded": metric in arm.facts["rewards"],
                }
            for measure, config in quality.measures.items():
                embedder = embedder_name(config.embedder)
                distance = asdict(config.compare(seen[embedder], reference[embedder]))
                interval = {end: distance[end] for end in ("value", "low", "high")}
                images = {"prompts": table["prompt_id"].nunique(), "images": len(table)}
                yield {**where, "measure": measure, **interval, **images, "rewarded": False}


def _differences(tested: Mapping[str, Entry], metrics: Metrics) -> Iterator[dict[str, Any]]:
    """Of every arm to the yardsticks at the same kind of guidance, paired by prompt."""
    for guidance in GUIDANCES:
        tables = {name: arm.evaluations[guidance] for name, arm in tested.items()}
        for other in (name for name in _YARDSTICKS if name in tested):
            for name in (name for name in tested if name != other):
                for metric in metrics.scorers:
                    found = asdict(paired(tables, name, other, metric))
                    where = {"model": name, "other": other, "guidance": guidance}
                    yield {**where, "measure": metric, **found}


def costs(tested: Mapping[str, Entry]) -> pd.DataFrame:
    """What one training took, counted and timed; `relative` to a step of the arm `sft`."""
    columns = ["points", "trajectories", "evaluations", "trained", "seconds"]
    table = pd.DataFrame(
        {"model": name, **{column: arm.facts[column] for column in columns}}
        for name, arm in tested.items()
    )
    table["seconds"] = table["seconds"].astype(float)
    steps = pd.Series([_steps(arm.facts) for arm in tested.values()], dtype=float)
    table["seconds_per_step"] = table["seconds"] / steps
    of_sft = table.loc[table["model"] == "sft", "seconds_per_step"]
    table["relative"] = table["seconds_per_step"] / (of_sft.iloc[0] if len(of_sft) else math.nan)
    return table


def _steps(facts: Facts) -> float:
    if facts["finetune"] is None:
        return math.nan
    return float(facts["finetune"]["optimisation"]["steps"])
