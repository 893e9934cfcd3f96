"""Pipelines as their parameters need them: who chooses by a metric reads measured candidates.

Kedro registers pipelines before it knows the parameters that say what stage `compose` orders by,
and whether stage `finetune` needs a metric.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from pydantic import BaseModel

COMPOSITIONS = "compose"
TRAININGS = "finetune"

Settings = TypeVar("Settings", bound=BaseModel)


class ChoosingHooks:
    """Wire stages `compose` and `finetune` anew for every session."""

    @hook_impl(trylast=True)
    def after_context_created(self, context: Any) -> None:
        """Of the session whose parameters these are; they have been validated."""
        from mitune.pipelines.compose import wiring as compositions
        from mitune.pipelines.compose.parameters import Compose
        from mitune.pipelines.finetune import wiring as trainings
        from mitune.training.finetuning import Finetuning

        choices = _blocks(context.params, COMPOSITIONS, Compose)
        settings = _blocks(context.params, TRAININGS, Finetuning)
        for name, pipeline in pipelines.items():
            changed = trainings.wired(compositions.wired(pipeline, choices), settings)
            if changed is not pipeline:
                pipelines[name] = changed


def _blocks(parameters: Mapping[str, Any], start: str, kind: type[Settings]) -> dict[str, Settings]:
    return {
        name: kind.model_validate(value)
        for name, value in parameters.items()
        if name.startswith(start)
    }
