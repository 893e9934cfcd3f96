"""Pipelines as their parameters need them: who chooses by a metric reads measured candidates.

Kedro registers pipelines before it knows the parameters that say what stage `compose` orders by.
"""

from __future__ import annotations

from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines

COMPOSITIONS = "compose"


class ChoosingHooks:
    """Wire stage `compose` anew for every session."""

    @hook_impl(trylast=True)
    def after_context_created(self, context: Any) -> None:
        """Of the session whose parameters these are; they have been validated."""
        from mitune.pipelines.compose.parameters import Compose
        from mitune.pipelines.compose.wiring import wired

        choices = {
            name: Compose.model_validate(value)
            for name, value in context.params.items()
            if name.startswith(COMPOSITIONS)
        }
        for name, pipeline in pipelines.items():
            if (changed := wired(pipeline, choices)) is not pipeline:
                pipelines[name] = changed
