"""What a run will cost, counted before it starts.

Nothing is subtracted for what is already done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from mitune.candidates import Generation
from mitune.candidates.batch import batches
from mitune.jobs.schedule import Conditions, Schedule, simulate
from mitune.pipelines.compare.cost import work_of as bench_work_of
from mitune.pipelines.evaluate.images import generate_test_images
from mitune.pipelines.finetune.by_metric import train_by_metric
from mitune.pipelines.finetune.nodes import train
from mitune.pipelines.generate.nodes import generate_candidates
from mitune.pipelines.prompts.parameters import Prompts
from mitune.pipelines.shared.budget import budget_of
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.speed import Speed
from mitune.pipelines.studies.cost import work_of as studies_work_of
from mitune.pipelines.studies.parameters import CATEGORIES
from mitune.prompts import read_splits
from mitune.training.finetuning import Finetuning

_LATENT_BYTES = 2  # float16
_INCREMENT_BYTES = 4
_ADAPTER_BYTES = 4  # float32 per weight
_CATEGORIES = f"{CATEGORIES}."  # has prompts of its own
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
    counted = list(nodes)
    tables = _prompts("", catalog)
    if any(name.startswith(_CATEGORIES) for node in counted for name in node.inputs):
        tables |= _prompts(_CATEGORIES, catalog)
    resources: Resources = catalog.load("params:resources")
    found = []
    for node in counted:
        parameters = [catalog.load(name) for name in node.inputs if name.startswith("params:")]
        if node.func in _COSTLY:
            work = [next(p for p in parameters if isinstance(p, Generation | Finetuning))]
        else:
            work = [*bench_work_of(node, parameters), *studies_work_of(node, parameters)]
        table = next((tables[name] for name in node.inputs if name in tables), pd.DataFrame())
        parts = [
            _generation(node.name, table, settings, resources.batch_size, speed)
            if isinstance(settings, Generation)
            else _finetuning(node.name, settings, speed)
            for settings in work
        ]
        if parts:
            found.append(total(parts, node.name))
    return found


def _prompts(block: str, catalog: CatalogProtocol) -> dict[str, pd.DataFrame]:
    """Prompts by the datasets of `block`, with a dot; "": by the main job's."""
    prompts = Prompts.model_validate(catalog.load(f"params:{block}prompts"))
    folder = catalog.load("prompt_files")
    tables = read_splits(
        prompts.source, folder, prompts.categories, prompts.per_category, prompts.seed
    )
    return {
        f"{block}prompts": tables["train"],
        f"{block}tuning_prompts": tables["tuning"],
        f"{block}test_prompts": tables[prompts.evaluate_on],
    }


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
    budget = budget_of(settings)
    size = speed.adapter_numel * _ADAPTER_BYTES
    seconds = budget.evaluations * speed.evaluation + budget.trained * speed.training
    counted = budget.trajectories, budget.evaluations, budget.trained
    return Cost(name, *counted, size, seconds, (seconds,))


def on_devices(costs: Iterable[Cost], devices: int, conditions: Conditions) -> Schedule:
    """All nodes one after the other on `devices` of the kind that was timed.

    A fine-tuning is one job: it stays on the machine of the command. Chance is always the same.
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


def total(costs: Iterable[Cost], name: str = "all") -> Cost:
    """The sum, under a name."""
    found = list(costs)
    return Cost(
        name,
        sum(c.images for c in found),
        sum(c.evaluations for c in found),
        sum(c.training for c in found),
        sum(c.bytes for c in found),
        sum(c.seconds for c in found),
        tuple(seconds for c in found for seconds in c.jobs),
    )
