"""Our rows beside the published ones."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from mitune.paper_tables import T2I_COMPBENCH, beside
from mitune.pipelines.prompts.parameters import Prompts
from mitune.pipelines.shared.arms import ArmFacts, read_arms
from mitune.pipelines.shared.metrics import Metrics


def compare_published(
    summary: pd.DataFrame, facts: ArmFacts, metrics: Metrics, prompts: Prompts
) -> dict[str, Any]:
    """What may stand beside a published figure, and why the rest may not."""
    on_theirs = prompts.source.kind == T2I_COMPBENCH and prompts.evaluate_on == "test"
    found = beside(
        summary,
        {name: config.published for name, config in metrics.scorers.items()},
        T2I_COMPBENCH if on_theirs else None,
        {arm.name: arm.title for arm in read_arms(facts)},
    )
    return asdict(found)
