"""Which tasks and estimators, on how many points."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, field_validator

from mitune.mi_benchmark import TASKS, EstimatorConfig


class MIBenchmark(BaseModel):
    """`tasks`: names, all of them if empty. `train`, `test`: points to fit and to estimate on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    estimators: dict[str, EstimatorConfig]
    tasks: tuple[str, ...] = ()
    train: PositiveInt = 10_000
    test: PositiveInt = 10_000
    seeds: tuple[NonNegativeInt, ...] = (0,)

    @field_validator("tasks")
    @classmethod
    def _known(cls, tasks: tuple[str, ...]) -> tuple[str, ...]:
        for name in tasks:
            if name not in TASKS:
                raise ValueError(f"no task {name!r}; choose of {', '.join(TASKS)}")
        return tasks or tuple(TASKS)
