"""What stage `finetune` reads: metrics too, if an objective names one."""

from __future__ import annotations

from collections.abc import Mapping

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.finetune.by_metric import train_by_metric
from mitune.pipelines.finetune.nodes import train
from mitune.training.finetuning import Finetuning

_METRICS = "params:metrics"


def wired(pipeline: Pipeline, trainings: Mapping[str, Finetuning]) -> Pipeline:
    """`pipeline` with those adapters trained by metrics whose objectives name one.

    `trainings`: by the name of their parameters. It is `pipeline` itself if nothing changes: where
    no objective needs a metric, no adapter hangs on one.
    """
    changed = {}
    for node in pipeline.nodes:
        if node.func not in (train, train_by_metric):
            continue
        settings = next(trainings[name] for name in trainings if f"params:{name}" in node.inputs)
        by_metric = settings.objective.metric is not None
        if by_metric != (node.func is train_by_metric):
            changed[node.name] = _changed(node, by_metric)
    if not changed:
        return pipeline
    return pipeline - pipeline.only_nodes(*changed) + Pipeline(list(changed.values()))


def _changed(node: Node, by_metric: bool) -> Node:
    inputs = [name for name in node.inputs if name != _METRICS]
    return Node(
        train_by_metric if by_metric else train,
        [*inputs, _METRICS] if by_metric else inputs,
        node.outputs,
        name=node.name.removeprefix(f"{node.namespace}."),
        namespace=node.namespace,
        tags=node.tags,
    )
