"""How fast a model is here, timed on a few calls."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from kedro.io import CatalogProtocol

from mitune.backbones import Backbone, open_backbone
from mitune.candidates import Generation
from mitune.pipelines.shared.resources import Resources
from mitune.training.adapters import AdapterSettings, attach
from mitune.training.finetuning import Finetuning


@dataclass(frozen=True)
class Speed:
    """Seconds per latent and to open the model, and the sizes that only the model knows."""

    evaluation: float
    training: float
    latent_numel: int
    adapter_numel: int
    start: float = 0.0


def calibrate(catalog: CatalogProtocol, repeats: int = 3) -> Speed:
    """Time a few evaluations and training steps of the model at the batch size of the run."""
    resources: Resources = catalog.load("params:resources")
    finetune: Finetuning = catalog.load("params:finetune")
    generate: Generation = catalog.load("params:generate")
    began = time.perf_counter()
    backbone = open_backbone(catalog.load("base_model"), resources.torch_device, generate.dtype)
    start = time.perf_counter() - began
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
        start,
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
