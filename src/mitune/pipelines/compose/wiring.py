"""What stage `compose` reads: estimates of MI, or what stage `rank` measured besides."""

from __future__ import annotations

from collections.abc import Mapping

from kedro.pipeline import Pipeline

from mitune.pipelines.compose.nodes import compose
from mitune.pipelines.compose.parameters import Compose
from mitune.pipelines.shared.arms import by_metric

_ESTIMATES, _MEASURED = ".scores", ".measurements"


def wired(pipeline: Pipeline, choices: Mapping[str, Compose]) -> Pipeline:
    """`pipeline` with those compositions reading metrics of candidates that order by metrics.

    `choices`: by the name of their parameters. It is `pipeline` itself if nothing changes: where
    all go by MI, no choice waits for a metric.
    """
    changed = {}
    for node in pipeline.nodes:
        if node.func is not compose:
            continue
        table, parameters = node.inputs
        choice = choices[parameters.removeprefix("params:")]
        before, after = _ESTIMATES, _MEASURED
        if not by_metric(choice.selection):
            before, after = after, before
        if table.endswith(before):
            changed[node.name] = {table: table.removesuffix(before) + after}
    if not changed:
        return pipeline
    result = pipeline - pipeline.only_nodes(*changed)
    for name, inputs in changed.items():
        result += Pipeline(pipeline.only_nodes(name), inputs=inputs)
    return result
