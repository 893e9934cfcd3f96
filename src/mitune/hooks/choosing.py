"""Pipelines as their parameters need them: who chooses by a metric reads measured candidates.

Kedro registers pipelines before it knows the parameters that say what stage `compose` orders by,
whether stage `finetune` needs a metric, and which arms pipeline `compare` has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import click
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from pydantic import BaseModel

COMPOSITIONS = "compose"
TRAININGS = "finetune"
BENCH = "compare"

Settings = TypeVar("Settings", bound=BaseModel)


class ChoosingHooks:
    """Wire stages `compose` and `finetune`, and pipeline `compare`, anew for every session."""

    @hook_impl(trylast=True)
    def after_context_created(self, context: Any) -> None:
        """Of the session whose parameters these are; they have been validated."""
        from mitune.pipelines.compare import wiring as bench
        from mitune.pipelines.compose import wiring as compositions
        from mitune.pipelines.compose.parameters import Compose
        from mitune.pipelines.finetune import wiring as trainings
        from mitune.training.finetuning import Finetuning

        choices = _blocks(context.params, COMPOSITIONS, Compose)
        settings = _blocks(context.params, TRAININGS, Finetuning)
        pipelines[BENCH] = bench.of_arms(_arms(context.params[BENCH]["arms"]))
        for name, pipeline in pipelines.items():
            changed = trainings.wired(compositions.wired(pipeline, choices), settings)
            if changed is not pipeline:
                pipelines[name] = changed
        pipelines[BENCH] = bench.without_unread(pipelines[BENCH])


def _arms(given: object) -> tuple[str, ...]:
    from mitune.pipelines.compare.parameters import chosen

    try:
        return chosen(given)
    except ValueError as error:
        raise click.ClickException(f"parameters, compare.arms: {error}") from None


def _blocks(parameters: Mapping[str, Any], start: str, kind: type[Settings]) -> dict[str, Settings]:
    return {
        name: kind.model_validate(value)
        for name, value in parameters.items()
        if name.startswith(start)
    }
