"""What the bench's nodes will ask of the network, counted: see `pipelines.shared.cost`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kedro.pipeline.node import Node

from mitune.candidates import Generation
from mitune.pipelines.compare.guided import generate_guided_images, paint_scales
from mitune.pipelines.compare.points import Method
from mitune.pipelines.compare.search import try_points
from mitune.pipelines.compare.tuning import tuned_on
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.guidance_grid.parameters import GuidanceGrid
from mitune.pipelines.shared.given import first_of
from mitune.training.finetuning import Finetuning

_BOTH_BRANCHES = 2.0  # any scale but 1: the best one is not known yet


def work_of(node: Node, parameters: Iterable[Any]) -> Iterator[Finetuning | Generation]:
    """Trainings of a node, and how it makes images of each of its prompts; nothing of others."""
    given = list(parameters)
    if node.func is try_points:
        for training in first_of(Method, given).points(first_of(Finetuning, given)).values():
            yield training
            yield tuned_on(first_of(Evaluation, given), first_of(GuidanceGrid, given))
    elif node.func is paint_scales:
        tuning = first_of(GuidanceGrid, given)
        for scale in tuning.scales:
            yield _at(tuned_on(first_of(Evaluation, given), tuning), scale)
    elif node.func is generate_guided_images:
        yield _at(first_of(Evaluation, given).generation, _BOTH_BRANCHES)


def _at(settings: Generation, scale: float) -> Generation:
    return settings.model_copy(update={"guidance": settings.guidance.at_scale(scale)})
