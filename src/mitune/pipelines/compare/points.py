"""Hyper-parameter points of a method: its training at each combination of what is searched."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from mitune.errors import UserError
from mitune.objectives import SFT, ObjectiveConfig
from mitune.training.adapters import AdapterSettings
from mitune.training.finetuning import Finetuning
from mitune.training.optimisation import Optimisation
from mitune.training.timesteps import Timesteps

Values: TypeAlias = list[float | int | bool | str]
_DEFAULT = "default"
_SEARCHED = ("objective", "optimisation")


class Method(BaseModel):
    """What a method changes of `finetune`, and what is searched on the tuning prompts.

    `optimisation` holds the fields that differ. `search` has values by `objective.FIELD` or
    `optimisation.FIELD`: all their combinations are trained. Nothing there: nothing is searched.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    objective: ObjectiveConfig = SFT()
    optimisation: dict[str, Any] = Field(default_factory=dict)
    adapter: AdapterSettings | None = None
    timesteps: Timesteps | None = None
    caption_dropout: float | None = Field(default=None, ge=0, le=1)
    search: dict[str, Values] | None = None

    def points(self, common: Finetuning) -> dict[str, Finetuning]:
        """Trainings by the name of their point, in the order of the values.

        Raises
        ------
        UserError
            For a field that cannot be searched.
        ValidationError
            For one that is not there, or a wrong value.
        """
        searched = {name: values for name, values in (self.search or {}).items() if values}
        for name in searched:
            if name.partition(".")[0] not in _SEARCHED or not name.partition(".")[2]:
                raise UserError(
                    f"search: {name} cannot be searched; give objective.FIELD or optimisation.FIELD"
                )
        combinations = product(*searched.values())
        every = [dict(zip(searched, values, strict=True)) for values in combinations]
        return {point_name(point): self.training(common, point) for point in every}

    def training(self, common: Finetuning, point: Mapping[str, Any]) -> Finetuning:
        """`common` with what the method changes, and then the point."""
        own = ("adapter", "timesteps", "caption_dropout")
        changed = {name: value for name in own if (value := getattr(self, name)) is not None}
        objective = dict(self.objective) | _under("objective", point)
        optimisation = dict(common.optimisation) | self.optimisation | _under("optimisation", point)
        whole = dict(common) | changed
        whole["objective"] = type(self.objective).model_validate(objective)
        whole["optimisation"] = Optimisation.model_validate(optimisation)
        return Finetuning.model_validate(whole)


def point_name(point: Mapping[str, Any]) -> str:
    """`beta_500__learning_rate_0.001`: of a file too."""
    parts = [f"{name.partition('.')[2]}_{value}" for name, value in point.items()]
    return "__".join(parts) or _DEFAULT


def _under(block: str, point: Mapping[str, Any]) -> dict[str, Any]:
    return {
        field: value
        for name, value in point.items()
        for where, _, field in (name.partition("."),)
        if where == block
    }
