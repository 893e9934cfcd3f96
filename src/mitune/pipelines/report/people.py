"""What people said of the pictures, if they were asked, in the words of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mitune.arm import Arm
from mitune.metrics.units import Units
from mitune.pipelines.report.verdict import verdict
from mitune.statistics import Interval

UNITS = Units("proportion")
_METRIC = "people’s answers"


@dataclass(frozen=True)
class Said:
    """One option: how often it is selected, against the first, and its log-odds against it."""

    title: str
    colour: str | None
    share: Interval
    difference: Interval | None
    strength: Interval


@dataclass(frozen=True)
class People:
    """A survey on the page. `published`: the paper's shares, by option, in its `parts`."""

    title: str
    verdict: str
    surveys: int
    answers: int
    options: tuple[Said, ...]
    table: str
    parts: tuple[str, ...]
    published: Mapping[str, Sequence[float]]


def people(surveys: Mapping[str, Mapping[str, Any]], arms: Sequence[Arm]) -> list[People]:
    """Each survey that was asked; options may be `arms`, of which the last is the result.

    `surveys`: as of `mitune.survey.summary`.
    """
    by_name = {arm.name: arm for arm in arms}
    found = []
    for survey in surveys.values():
        options = tuple(_said(option, by_name) for option in survey["options"])
        shown = survey["published"]
        found.append(
            People(
                title=survey["title"],
                verdict=_verdict(options, arms[-1]),
                surveys=survey["surveys"],
                answers=survey["answers"],
                options=options,
                table=shown["table"],
                parts=tuple(shown["parts"]),
                published=shown["shares"],
            )
        )
    return found


def _said(option: Mapping[str, Any], arms: Mapping[str, Arm]) -> Said:
    arm = arms.get(option["option"])
    first = option["difference"] is None
    return Said(
        title=arm.title if arm else option["option"],
        colour=arm.colour if arm else None,
        share=_interval(option, "share"),
        difference=None if first else _interval(option, "difference"),
        strength=_interval(option, "strength"),
    )


def _interval(option: Mapping[str, Any], name: str) -> Interval:
    ends = (option[f"{name}_low"], option[f"{name}_high"])
    low, high = (math.nan if end is None else end for end in ends)
    return Interval(option[name], low, high, math.nan, 0)


def _verdict(options: Sequence[Said], result: Arm) -> str:
    """Of the result against the base; of what the first metric chose against what others did.

    Nothing where surveys are too few for an interval.
    """
    first, *others = options
    known = {said.title: said.difference for said in others if said.difference is not None}
    known = {title: found for title, found in known.items() if not math.isnan(found.low)}
    if result.title in known:
        return verdict(result.label, _METRIC, UNITS, {first.title: known[result.title]})
    against = {
        title: Interval(-found.mean, -found.high, -found.low, math.nan, 0)
        for title, found in known.items()
    }
    return verdict(first.title, _METRIC, UNITS, against) if against else ""
