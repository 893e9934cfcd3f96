"""What the intervals allow to be said of the bench, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mitune.arm import Arm
from mitune.metrics.units import Units

_SFT = "sft"


def verdict(
    arms: Sequence[Arm],
    metric: str,
    units: Units,
    guidance: str,
    cells: Mapping[Any, Mapping[str, Any]],
    away: Mapping[Any, Mapping[str, Any]],
) -> str:
    """Who is highest at a kind of guidance, and who leaves the base and SFT behind.

    `cells`: results by model, guidance and measure. `away`: differences by model, other, guidance
    and measure, with their intervals.
    """
    best = max(arms, key=lambda arm: cells[arm.name, guidance, metric]["value"])
    said = [
        f"At {guidance} guidance the highest {metric} is {best.title}'s, "
        f"{units.value(cells[best.name, guidance, metric]['value'])}."
    ]
    for other in arms:
        if other.name not in (arms[0].name, _SFT):
            continue
        pairs = [(a, away[a.name, other.name, guidance, metric]) for a in arms if a is not other]
        above = [arm.title for arm, found in pairs if found["low"] > 0]
        below = [arm.title for arm, found in pairs if found["high"] < 0]
        said.append(f"Above {other.label}: {_listed(above)}; below: {_listed(below)}.")
    return " ".join(said)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
