"""What a run will cost, counted before it starts.

Nothing is subtracted for what is already done.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from mitune.candidates import Generation
from mitune.candidates.batch import batches
from mitune.jobs.schedule import Conditions, Schedule, simulate
from mitune.objectives import Online
from mitune.pipelines.evaluate.images import generate_test_images
from mitune.pipelines.finetune.by_metric import train_by_metric
from mitune.pipelines.finetune.nodes import train
from mitune.pipelines.generate.nodes import generate_candidates
from mitune.pipelines.prompts.parameters import Prompts
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.speed import Speed
from mitune.prompts import read_splits
from mitune.training.finetuning import Finetuning

_LATENT_BYTES = 2  # float16
_INCREMENT_BYTES = 4
_ADAPTER_BYTES = 4  # float32 per weight
_COSTLY = (generate_candidates, generate_test_images, train, train_by_metric)


@dataclass(frozen=True)
class Cost:
    """Of one node. `seconds` leaves out loading, measuring and drawing.

    `jobs`: its parts that devices can share, in seconds of one of them.
    """

    node: str
    images: int = 0
    evaluations: int = 0  # of the network on one latent, without gradients
    training: int = 0  # of the network on one latent, with gradients
    bytes: int = 0
    seconds: float = 0.0
    jobs: tuple[float, ...] = ()


def cost_of(nodes: Iterable[Node], catalog: CatalogProtocol, speed: Speed) -> list[Cost]:
    """Cost of every node that generates or trains."""
    prompts: Prompts = catalog.load("params:prompts")
    folder = catalog.load("prompt_files")
    tables = read_splits(
        prompts.source, folder, prompts.categories, prompts.per_category, prompts.seed
    )
    by_input = {
        "prompts": tables["train"],
        "tuning_prompts": tables["tuning"],
        "test_prompts": tables[prompts.evaluate_on],
    }
    resources: Resources = catalog.load("params:resources")
    found = []
    for node in nodes:
        if node.func not in _COSTLY:
            continue
        parameters = [catalog.load(name) for name in node.inputs if name.startswith("params:")]
        settings = next(p for p in parameters if isinstance(p, Generation | Finetuning))
        if isinstance(settings, Generation):
            table = next(by_input[name] for name in node.inputs if name in by_input)
            found.append(_generation(node.name, table, settings, resources.batch_size, speed))
        else:
            found.append(_finetuning(node.name, settings, speed))
    return found


def _generation(
    name: str, prompts: pd.DataFrame, settings: Generation, batch_size: int, speed: Speed
) -> Cost:
    images = len(prompts) * settings.images_per_prompt
    scoring = settings.scoring
    sampling = settings.sampled_by.evaluations(settings.steps)
    each = sampling + scoring.evaluations_per_image
    evaluations = round(images * each)
    jobs = tuple(
        len(job.prompts) * settings.images_per_prompt * each * speed.evaluation
        for job in batches(prompts, settings, batch_size)
    )
    increments = sum(e.strata for e in scoring.drawn.values()) + settings.steps * bool(scoring.path)
    size = images * (speed.latent_numel * _LATENT_BYTES + increments * _INCREMENT_BYTES)
    return Cost(name, images, evaluations, 0, size, evaluations * speed.evaluation, jobs)


def _finetuning(name: str, settings: Finetuning, speed: Speed) -> Cost:
    optimisation, objective = settings.optimisation, settings.objective
    examples = optimisation.steps * optimisation.batch_size
    passes = objective.passes
    evaluations = round(examples * passes.without_gradient)
    trajectories = 0
    if isinstance(objective, Online):
        trajectories = objective.rollouts * math.ceil(optimisation.steps / objective.every)
        evaluations += trajectories * objective.evaluations
    trained = round(examples * passes.with_gradient)
    size = speed.adapter_numel * _ADAPTER_BYTES
    seconds = evaluations * speed.evaluation + trained * speed.training
    return Cost(name, trajectories, evaluations, trained, size, seconds, (seconds,))


def on_devices(costs: Iterable[Cost], devices: int, conditions: Conditions) -> Schedule:
    """All nodes one after the other on `devices` of the kind that was timed.

    Fine-tuning is one job: it stays on the machine of the command. Chance is always the same.
    """
    generator = np.random.default_rng(0)
    parts = [simulate(cost.jobs, devices, conditions, generator) for cost in costs]
    return Schedule(
        devices,
        sum(part.seconds for part in parts),
        sum(part.worked for part in parts),
        sum(part.lost for part in parts),
        sum(part.started for part in parts),
    )


def total(costs: Iterable[Cost]) -> Cost:
    """The sum over nodes."""
    found = list(costs)
    return Cost(
        "all",
        sum(c.images for c in found),
        sum(c.evaluations for c in found),
        sum(c.training for c in found),
        sum(c.bytes for c in found),
        sum(c.seconds for c in found),
    )
