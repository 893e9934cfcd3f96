"""Which arms are compared, and how they are tuned."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, field_validator

from mitune.pipelines.arms import METHODS
from mitune.pipelines.compare.points import Method
from mitune.pipelines.guidance_grid.parameters import GuidanceGrid

EVERY = "all"


class Compare(BaseModel):
    """The bench.

    `arms`: `all`, names with a plus between them, or a list of them. `tuning`: how many images of
    each tuning prompt choose a point and a guidance, and of which scales. `methods`: by arm.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    arms: tuple[str, ...]
    tuning: GuidanceGrid
    methods: dict[str, Method]

    @field_validator("arms", mode="before")
    @classmethod
    def _named(cls, arms: object) -> object:
        return chosen(arms)

    @field_validator("methods")
    @classmethod
    def _of_arms(cls, methods: dict[str, Method]) -> dict[str, Method]:
        every = [arm.name for arm in METHODS]
        for name in methods:
            if name not in every:
                raise ValueError(f"no arm {name!r}; choose of {', '.join(every)}")
        return methods


def chosen(arms: object) -> tuple[str, ...]:
    """Names of arms in the bench's order, of what `compare.arms` says.

    Raises
    ------
    ValueError
        For a name that is no arm's.
    """
    every = [arm.name for arm in METHODS]
    if arms == EVERY:
        return tuple(every)
    given = arms.split("+") if isinstance(arms, str) else arms
    if not isinstance(given, list | tuple) or not given:
        raise ValueError(f"give {EVERY}, a+b, or a list of {', '.join(every)}")
    for name in given:
        if name not in every:
            raise ValueError(f"no arm {name!r}; choose of {', '.join(every)}, or {EVERY}")
    return tuple(name for name in every if name in given)
