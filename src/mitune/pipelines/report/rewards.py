"""Which arms have seen a metric before they were measured by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mitune.arm import Arm
from mitune.pipelines.compose.parameters import Compose
from mitune.pipelines.shared.arms import ArmFacts, record_arms, rewarded, uses_reward
from mitune.training.finetuning import Finetuning


def note_reward(choice: Compose, training: Finetuning) -> bool:
    """Whether one arm by itself uses a reward."""
    return uses_reward(choice.selection, training.objective)


def describe_arms(arms: tuple[Arm, ...]) -> Callable[..., ArmFacts]:
    """Node function over `reward_used` of those of `arms` that are trained, in that order."""
    trained = [arm.name for arm in arms if arm.trained]

    def describe_all_arms(*own: bool) -> ArmFacts:
        stand = rewarded(arms, dict(zip(trained, own, strict=True)))
        return record_arms(tuple(replace(arm, reward_used=arm.name in stand) for arm in arms))

    return describe_all_arms
