"""The arms that `compare.arms` asks for, and of what comes before them no more than they need."""

from __future__ import annotations

from functools import cache

from kedro.pipeline import Pipeline

from mitune.pipelines.arms import METHODS
from mitune.pipelines.compare.pipeline import create_pipeline


@cache
def of_arms(names: tuple[str, ...]) -> Pipeline:
    """The bench with these arms, in its own order."""
    return create_pipeline(tuple(arm for arm in METHODS if arm.name in names))


def without_unread(pipeline: Pipeline) -> Pipeline:
    """`pipeline`, whose compositions are wired, without measuring candidates if none reads that."""
    measuring = pipeline.only_nodes_with_tags("rank")
    read = {name for node in pipeline.nodes for name in node.inputs}
    unread = [node.name for node in measuring.nodes if not read & set(node.outputs)]
    return pipeline - pipeline.only_nodes(*unread) if unread else pipeline
