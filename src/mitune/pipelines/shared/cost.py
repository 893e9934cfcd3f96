"""What a run will cost, counted before it starts and timed on a few network calls.

Nothing is subtracted for what is already done.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from mitune.backbones import Backbone, open_backbone
from mitune.candidates import Generation
from mitune.pipelines.compare.cost import work_of as bench_work_of
from mitune.pipelines.evaluate.images import generate_test_images
from mitune.pipelines.finetune.by_metric import train_by_metric
from mitune.pipelines.finetune.nodes import train
from mitune.pipelines.generate.nodes import generate_candidates
from mitune.pipelines.prompts.parameters import Prompts
from mitune.pipelines.shared.budget import budget_of
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.studies.cost import work_of as studies_work_of
from mitune.pipelines.studies.parameters import CATEGORIES
from mitune.prompts import read_splits
from mitune.training.adapters import AdapterSettings, attach
from mitune.training.finetuning import Finetuning

_LATENT_BYTES = 2  # float16
_INCREMENT_BYTES = 4
_ADAPTER_BYTES = 4  # float32 per weight
_CATEGORIES = f"{CATEGORIES}."  # has prompts of its own
_COSTLY = (generate_candidates, generate_test_images, train, train_by_metric)


@dataclass(frozen=True)
class Cost:
    """Of one node. `seconds` leaves out loading, measuring and drawing."""

    node: str
    images: int = 0
    evaluations: int = 0  # of the network on one latent, without gradients
    training: int = 0  # of the network on one latent, with gradients
    bytes: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Speed:
    """Seconds per latent, and the sizes that only the model knows."""

    evaluation: float
    training: float
    latent_numel: int
    adapter_numel: int


def cost_of(nodes: Iterable[Node], catalog: CatalogProtocol, speed: Speed) -> list[Cost]:
    """Cost of every node that generates or trains."""
    counted = list(nodes)
    counts = _counts("", catalog)
    if any(name.startswith(_CATEGORIES) for node in counted for name in node.inputs):
        counts |= _counts(_CATEGORIES, catalog)
    found = []
    for node in counted:
        parameters = [catalog.load(name) for name in node.inputs if name.startswith("params:")]
        if node.func in _COSTLY:
            work = [next(p for p in parameters if isinstance(p, Generation | Finetuning))]
        else:
            work = [*bench_work_of(node, parameters), *studies_work_of(node, parameters)]
        texts = next((counts[name] for name in node.inputs if name in counts), 0)
        parts = [
            _generation(node.name, texts, settings, speed)
            if isinstance(settings, Generation)
            else _finetuning(node.name, settings, speed)
            for settings in work
        ]
        if parts:
            found.append(total(parts, node.name))
    return found


def _counts(block: str, catalog: CatalogProtocol) -> dict[str, int]:
    """How many prompts there are in the datasets of `block`, with a dot; "": in the main job's."""
    prompts = Prompts.model_validate(catalog.load(f"params:{block}prompts"))
    folder = catalog.load("prompt_files")
    tables = read_splits(
        prompts.source, folder, prompts.categories, prompts.per_category, prompts.seed
    )
    return {
        f"{block}prompts": len(tables["train"]),
        f"{block}tuning_prompts": len(tables["tuning"]),
        f"{block}test_prompts": len(tables[prompts.evaluate_on]),
    }


def _generation(name: str, prompts: int, settings: Generation, speed: Speed) -> Cost:
    images = prompts * settings.images_per_prompt
    scoring = settings.scoring
    sampling = settings.sampled_by.evaluations(settings.steps)
    evaluations = round(images * (sampling + scoring.evaluations_per_image))
    increments = sum(e.strata for e in scoring.drawn.values()) + settings.steps * bool(scoring.path)
    size = images * (speed.latent_numel * _LATENT_BYTES + increments * _INCREMENT_BYTES)
    return Cost(name, images, evaluations, 0, size, evaluations * speed.evaluation)


def _finetuning(name: str, settings: Finetuning, speed: Speed) -> Cost:
    budget = budget_of(settings)
    size = speed.adapter_numel * _ADAPTER_BYTES
    seconds = budget.evaluations * speed.evaluation + budget.trained * speed.training
    return Cost(name, budget.trajectories, budget.evaluations, budget.trained, size, seconds)


def calibrate(catalog: CatalogProtocol, repeats: int = 3) -> Speed:
    """Time a few evaluations and training steps of the model at the batch size of the run."""
    resources: Resources = catalog.load("params:resources")
    finetune: Finetuning = catalog.load("params:finetune")
    generate: Generation = catalog.load("params:generate")
    backbone = open_backbone(catalog.load("base_model"), resources.torch_device, generate.dtype)
    size = resources.batch_size
    condition = backbone.encode_prompts([""]).expand(size)
    latents = torch.randn(size, *backbone.latent_shape, device=backbone.device)
    times = torch.full((size,), 500, device=backbone.device)

    @torch.no_grad()
    def evaluate() -> None:
        backbone.denoiser.predict(latents, times, condition)

    evaluation = _timed(evaluate, repeats) / size
    return Speed(
        evaluation,
        _training_speed(backbone, finetune, latents, repeats),
        latents[0].numel(),
        _adapter_numel(backbone),
    )


def _training_speed(
    backbone: Backbone, settings: Finetuning, latents: torch.Tensor, repeats: int
) -> float:
    _attach(backbone, settings.adapter)
    rows = settings.optimisation.micro_batch_size or settings.optimisation.batch_size
    batch = latents[:1].expand(rows, *latents.shape[1:])
    condition = backbone.encode_prompts([""]).expand(rows)
    times = torch.full((rows,), 500, device=backbone.device)
    accelerator = Accelerator(cpu=backbone.device.type == "cpu")

    def step() -> None:
        predicted = backbone.denoiser.predict(batch, times, condition).eps
        accelerator.backward(predicted.float().square().mean())

    return _timed(step, repeats) / rows


def _attach(backbone: Backbone, settings: AdapterSettings) -> None:
    attach(backbone, settings, seed=0)
    backbone.network.train()


def _adapter_numel(backbone: Backbone) -> int:
    return sum(p.numel() for p in backbone.network.parameters() if p.requires_grad)


def _timed(action: Any, repeats: int) -> float:
    action()  # the first call allocates and compiles
    start = time.perf_counter()
    for _ in range(repeats):
        action()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / repeats


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
    )
