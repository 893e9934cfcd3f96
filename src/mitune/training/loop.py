"""The one training loop: fine-tuning and pretraining both run here, and watch it step by step.

The loop is a generator, so logging, progress and early stopping live with the caller. What a step
trains on depends on its index and the weights alone, which makes a resumed run equal to an
undisturbed one without storing any random state.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import torch
from accelerate import Accelerator
from torch import nn

from mitune import libraries
from mitune.training.checkpoint import Checkpoint, RunState, TrainingStep
from mitune.training.gradients import StepGradients, reduce_and_clip
from mitune.training.optimisation import Optimisation
from mitune.training.optimizers import build_optimizers, build_schedulers
from mitune.training.task import EachAlone, Loss, Task


def trainable(modules: Mapping[str, nn.Module]) -> dict[str, nn.Parameter]:
    """Parameters that receive gradients, by qualified name, in a stable order."""
    return {
        f"{name}.{key}": parameter
        for name, module in modules.items()
        for key, parameter in module.named_parameters()
        if parameter.requires_grad
    }


def fit(
    modules: Mapping[str, nn.Module],
    loss: Loss,
    settings: Optimisation,
    accelerator: Accelerator,
    checkpoint: Checkpoint | None = None,
    ema_decay: float | None = None,
) -> Iterator[TrainingStep]:
    """`train` on `loss(step, rows)`, one value per row of the step's batch, whatever the others."""
    yield from train(modules, EachAlone(loss), settings, accelerator, checkpoint, ema_decay)


def train(
    modules: Mapping[str, nn.Module],
    task: Task,
    settings: Optimisation,
    accelerator: Accelerator,
    checkpoint: Checkpoint | None = None,
    ema_decay: float | None = None,
) -> Iterator[TrainingStep]:
    """Minimise the mean of the losses of `task` over the trainable parameters of `modules`.

    Micro-batches bound memory without changing the gradient; they are halved when memory runs out,
    and never split a group. A resumed run yields the steps before its checkpoint again, without
    computing them: the log is whole. When the iterator is exhausted the modules hold the final
    weights (their exponential moving average if `ema_decay`).

    Raises
    ------
    FloatingPointError
        If the loss is not finite: the last checkpoint is kept.
    """
    parameters = trainable(modules)
    if not parameters:
        raise ValueError("nothing to train: no parameter of the model requires a gradient")
    weights = list(parameters.values())
    optimizers = build_optimizers(parameters, settings)
    schedulers = build_schedulers(optimizers, settings)
    average = (
        libraries.diffusers.EMAModel(weights, decay=ema_decay, foreach=True) if ema_decay else None
    )
    if average:
        average.to(accelerator.device)
    state = RunState(parameters, optimizers, schedulers, average, task)
    log = state.resume(checkpoint)
    yield from log
    saved = time.monotonic()
    at_once = settings.micro_batch_size or settings.batch_size
    gradients = StepGradients(task, weights, settings.batch_size, at_once, accelerator)
    for step in range(len(log), settings.steps):
        started = time.perf_counter()
        value, watched = gradients(step)
        norm = reduce_and_clip(weights, settings.max_grad_norm, accelerator)
        if not (torch.isfinite(value) and torch.isfinite(norm)):
            raise FloatingPointError(
                f"training step {step}: loss {value.item()} or gradient norm {norm.item()} is not "
                "finite; lower learning_rate, or check the latents of the fine-tuning set"
            )
        for optimizer, scheduler in zip(optimizers, schedulers, strict=True):
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad(set_to_none=True)
        if average:
            average.step(weights)
        rate = float(schedulers[0].get_last_lr()[0])
        seconds = time.perf_counter() - started
        seen = {name: mean.item() for name, mean in watched.items()}
        log.append(TrainingStep(step, value.item(), norm.item(), rate, seconds, seen))
        if checkpoint and time.monotonic() - saved > checkpoint.every:
            if accelerator.is_main_process:
                state.save(checkpoint, log)
            saved = time.monotonic()
        yield log[-1]
    if average:
        average.copy_to(weights)
