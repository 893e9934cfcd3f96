"""Arms as they went: whether a metric chose or trained what they are, and their record on disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic import TypeAdapter

from mitune.arm import Arm
from mitune.candidates import ESTIMATES
from mitune.composition import Composition
from mitune.objectives import ObjectiveConfig

ArmFacts: TypeAlias = list[dict[str, Any]]
"""`Arm`s as JSON."""

_RECORDS = TypeAdapter(tuple[Arm, ...])


def read_arms(facts: ArmFacts) -> tuple[Arm, ...]:
    """The arms that `record_arms` wrote."""
    return _RECORDS.validate_python(facts)


def record_arms(arms: tuple[Arm, ...]) -> ArmFacts:
    """Arms as JSON."""
    facts: ArmFacts = _RECORDS.dump_python(arms, mode="json")
    return facts


def uses_reward(composition: Composition, objective: ObjectiveConfig) -> bool:
    """Whether one arm by itself has seen a metric."""
    return bool(rewards_of(composition, objective))


def rewards_of(composition: Composition, objective: ObjectiveConfig) -> tuple[str, ...]:
    """Metrics that one arm by itself has seen.

    A composition has if it orders by a score that is no estimate of MI; an objective has if it
    is given a reward. An encoder that compares pictures is none.
    """
    chosen_by = [score for score in composition.scores if score not in ESTIMATES]
    metric = objective.metric
    paid_by = [metric.name] if metric and metric.field == "reward" else []
    return tuple(dict.fromkeys([*chosen_by, *paid_by]))


def by_metric(composition: Composition) -> bool:
    """Whether a score that it orders by is no estimate of MI: then candidates must be measured."""
    return not set(composition.scores) <= set(ESTIMATES)


def rewarded(arms: tuple[Arm, ...], own: Mapping[str, bool]) -> set[str]:
    """Names of arms that stand on a reward: their own, or of an arm that they started from.

    `own`: of each trained arm, whether it uses one itself.
    """
    by_name = {arm.name: arm for arm in arms}

    def stands_on_one(name: str | None) -> bool:
        if name is None:
            return False
        arm = by_name[name]
        painter = by_name[arm.candidates_of].after if arm.candidates_of else None
        return own.get(name, False) or stands_on_one(arm.after) or stands_on_one(painter)

    return {name for name in by_name if stands_on_one(name)}
