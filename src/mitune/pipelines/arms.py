"""The arms of the workflow: another one is another line here."""

from __future__ import annotations

from mitune.arm import Arm

MAX_ROUNDS = 3
_BLUES = ("#7fb0e6", "#2f6fc0", "#123a75")

BASE = Arm("base", "base", "#7d8590", round=0)

CONTROLS = (
    Arm("random_k", "random k", "#e08b3e", None, "round_1", "compose_random_k", "finetune",
        control=True),
    Arm("lowest_k", "lowest MI", "#b0413e", None, "round_1", "compose_lowest_k", "finetune",
        control=True),
)  # fmt: skip

ROUNDS = tuple(
    Arm(
        name=f"round_{number}",
        label=f"MI-TUNE R={number}",
        colour=_BLUES[number - 1],
        after=f"round_{number - 1}" if number > 1 else None,
        composition="compose",
        finetuning="finetune",
        round=number,
    )
    for number in range(1, MAX_ROUNDS + 1)
)


def arms_of(rounds: int) -> tuple[Arm, ...]:
    """Base, controls and so many rounds: what a report compares, in its order."""
    return (BASE, *CONTROLS, *ROUNDS[:rounds])


ARMS = {arm.name: arm for arm in arms_of(MAX_ROUNDS)}
