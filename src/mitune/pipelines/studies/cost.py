"""What the studies' nodes will ask of the network, counted: see `pipelines.shared.cost`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kedro.pipeline.node import Node

from mitune.candidates import Generation
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.shared.given import first_of
from mitune.pipelines.studies.measuring import measure_arms
from mitune.pipelines.studies.parameters import Studies
from mitune.pipelines.studies.pool import paint_more
from mitune.pipelines.studies.training import train_arms
from mitune.training.finetuning import Finetuning


def work_of(node: Node, parameters: Iterable[Any]) -> Iterator[Finetuning | Generation]:
    """Trainings of a node, and how it makes images of each of its prompts; nothing of others."""
    given = list(parameters)
    if node.func is paint_more:
        images = {"images_per_prompt": first_of(int, given)}
        yield first_of(Generation, given).model_copy(update=images)
    elif node.func is train_arms:
        studies, common = first_of(Studies, given), first_of(Finetuning, given)
        for arm in studies.trained.values():
            for repeat in range(studies.repeats) if arm.selection else ():
                yield arm.training(common, repeat)
    elif node.func is measure_arms:
        studies = first_of(Studies, given)
        for arm in studies.every.values():
            for _ in range(1 if arm.untrained else studies.repeats):
                yield first_of(Evaluation, given).generation
