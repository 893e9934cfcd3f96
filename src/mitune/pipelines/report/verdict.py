"""What the intervals allow to be said, in words."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mitune.comparison import ALL
from mitune.metrics.units import Units
from mitune.statistics import Interval


def verdict(name: str, metric: str, units: Units, differences: Mapping[str, Interval]) -> str:
    """One sentence about arm `name`: `differences` to others, by their labels, paired by prompt."""
    groups: dict[str, list[str]] = {}
    for other, found in differences.items():
        interval = f"({units.signed(found.low)} to {units.signed(found.high)})"
        if found.low > 0 or found.high < 0:
            where = "above" if found.low > 0 else "below"
            said = f"{units.amount(found.mean)} {where} {other} {interval}"
            groups.setdefault("is", []).append(said)
        else:
            groups.setdefault("cannot be told from", []).append(f"{other} {interval}")
    said = ", and ".join(f"{verb} {' and '.join(parts)}" for verb, parts in groups.items())
    return f"On {metric}, {name} {said}."


def by_category(rows: pd.DataFrame, metric: str, units: Units) -> str:
    """Where an arm's differences to the base leave zero; nothing if there is but one category."""
    rows = rows[rows["metric"] == metric].set_index("category")
    parts = rows.drop(index=ALL)
    if len(parts) < 2:
        return ""
    parts = parts[parts["prompts"] > 1]  # one prompt has no interval over prompts
    said = []
    for verb, chosen in (
        ("rises", parts[parts["difference_low"] > 0]),
        ("falls", parts[parts["difference_high"] < 0]),
    ):
        if len(chosen):
            pairs = zip(chosen.index, chosen["difference"], strict=True)
            named = ", ".join(f"{category} ({units.signed(float(d))})" for category, d in pairs)
            said.append(f"It {verb} in {named}.")
    return " ".join(said)
