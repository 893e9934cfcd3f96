"""What an arm of the bench is and what it cost: apart from its scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import pandas as pd

from mitune.arm import Arm
from mitune.pipelines.compare.guided import best_scale
from mitune.pipelines.compare.points import Method
from mitune.pipelines.compose.parameters import Compose
from mitune.pipelines.shared.arms import record_arms, rewards_of
from mitune.pipelines.shared.budget import Budget, budget_of
from mitune.training.finetuning import Finetuning

Facts: TypeAlias = dict[str, Any]

_NOT_SEEN = ["index", "learning_rate", "seconds"]


def describe_method(arm: Arm) -> Callable[..., Facts]:
    """Node function for a trained arm."""

    def describe_trained(
        choice: Compose,
        common: Finetuning,
        method: Method,
        search: pd.DataFrame,
        training_log: pd.DataFrame,
        guidance: pd.DataFrame,
    ) -> Facts:
        chosen = search[search["chosen"]].iloc[0]
        settings = method.points(common)[chosen["point"]]
        rewards = rewards_of(choice.selection, settings.objective)
        timed = search["seconds"].dropna()
        return _facts(replace(arm, reward_used=bool(rewards)), budget_of(settings), guidance) | {
            "rewards": list(rewards),
            "point": chosen["point"],
            "points": len(search),
            "seconds": float(timed.mean()) if len(timed) else None,
            "elements": int(chosen["elements"]),
            "training": training_of(training_log),
            "compose": choice.model_dump(mode="json"),
            "finetune": settings.model_dump(mode="json"),
        }

    return describe_trained


def describe_base(arm: Arm) -> Callable[..., Facts]:
    """Node function for the model that nobody has trained."""

    def describe_untrained(guidance: pd.DataFrame) -> Facts:
        return _facts(arm, Budget(0, 0, 0), guidance) | {
            "rewards": [],
            "point": None,
            "points": 0,
            "seconds": None,
            "elements": None,
            "training": {},
            "compose": None,
            "finetune": None,
        }

    return describe_untrained


def training_of(log: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By what is logged, its means over the first and over the last tenth of the steps."""
    tenth = max(1, len(log) // 10)
    seen = log.drop(columns=_NOT_SEEN, errors="ignore")
    parts = {"first": seen.head(tenth).mean(), "last": seen.tail(tenth).mean()}
    return {part: {str(k): float(v) for k, v in means.items()} for part, means in parts.items()}


def _facts(arm: Arm, budget: Budget, guidance: pd.DataFrame) -> Facts:
    return {
        "arm": record_arms((arm,))[0],
        "scale": best_scale(guidance),
        **budget._asdict(),
    }
