"""Optimisers and their schedules, as the settings say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from mitune import libraries
from mitune.training.optimisation import Optimisation

_NUMBERED = re.compile(r"\.\d+\.")


def build_optimizers(
    parameters: Mapping[str, nn.Parameter], settings: Optimisation
) -> list[torch.optim.Optimizer]:
    """AdamW, and Muon after it if it is asked for; one that has nothing to do is left out."""
    matrices = {
        name: parameter
        for name, parameter in parameters.items()
        if settings.muon_learning_rate and parameter.ndim == 2 and _NUMBERED.search(name)
    }
    # A list, never an iterator: the optimiser would exhaust it and clipping would see nothing.
    rest = [parameter for name, parameter in parameters.items() if name not in matrices]
    optimizers: list[torch.optim.Optimizer] = []
    if rest:
        optimizers.append(
            torch.optim.AdamW(
                rest,
                lr=settings.learning_rate,
                betas=settings.betas,
                eps=settings.epsilon,
                weight_decay=settings.weight_decay,
                fused=True,
            )
        )
    if matrices and settings.muon_learning_rate:
        optimizers.append(
            torch.optim.Muon(
                list(matrices.values()),
                lr=settings.muon_learning_rate,
                weight_decay=settings.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    return optimizers


def build_schedulers(
    optimizers: Sequence[torch.optim.Optimizer], settings: Optimisation
) -> list[LRScheduler]:
    """The learning rate's schedule, one for each optimiser."""
    return [
        libraries.diffusers.optimization.get_scheduler(
            settings.schedule,
            optimizer,
            num_warmup_steps=settings.warmup_steps,
            num_training_steps=settings.steps,
        )
        for optimizer in optimizers
    ]
