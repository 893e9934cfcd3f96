"""The one training loop: fine-tuning and pretraining both run here, and watch it step by step.

The loop is a generator, so logging, progress and early stopping live with the caller. What a step
trains on depends on its index alone (`loss(step)` draws its own data), which makes a resumed run
equal to an undisturbed one without storing any random state.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from accelerate import Accelerator
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mitune import libraries
from mitune.memory import halved

if TYPE_CHECKING:
    from diffusers.training_utils import EMAModel

_NUMBERED = re.compile(r"\.\d+\.")


class Optimisation(BaseModel):
    """AdamW with a schedule. Defaults are the settings of the MI-TUNE paper (Table 8).

    `muon_learning_rate` hands the matrices of the numbered layers to Muon (Jordan et al. 2024),
    with updates of AdamW's size (Liu et al. 2025); all else stays with AdamW.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: PositiveInt = 300
    batch_size: PositiveInt = 400
    micro_batch_size: PositiveInt | None = Field(default=None, exclude=True)  # memory only
    learning_rate: PositiveFloat = 1e-4
    muon_learning_rate: PositiveFloat | None = None
    schedule: Literal["constant", "constant_with_warmup", "cosine"] = "constant"
    warmup_steps: NonNegativeInt = 0
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: PositiveFloat = 1e-8
    weight_decay: float = Field(default=1e-2, ge=0)
    max_grad_norm: PositiveFloat = 1.0


@dataclass(frozen=True)
class TrainingStep:
    """One optimiser step: mean loss, gradient norm before clipping, and when it happened."""

    index: int
    loss: float
    grad_norm: float
    learning_rate: float


@dataclass(frozen=True)
class Checkpoint:
    """Where to keep the state of a run, and how often to write it (seconds).

    `key` names what is being trained; a state written under another key is not resumed.
    """

    path: Path
    key: str
    every: float = 60.0


Loss = Callable[[int, Tensor], Tensor]


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
    """Minimise the mean of `loss(step, rows)` over the trainable parameters of `modules`.

    `rows` holds this process's positions within the batch of the step, `loss` returns one value
    per row. Micro-batches bound memory without changing the gradient; they are halved when memory
    runs out. A resumed run yields the steps before its checkpoint again, without computing them:
    the log is whole. When the iterator is exhausted the modules hold the final weights (their
    exponential moving average if `ema_decay`).

    Raises
    ------
    FloatingPointError
        If the loss is not finite: the last checkpoint is kept.
    """
    parameters = trainable(modules)
    if not parameters:
        raise ValueError("nothing to train: no parameter of the model requires a gradient")
    weights = list(parameters.values())
    optimizers = _optimizers(parameters, settings)
    schedulers = [
        libraries.diffusers.optimization.get_scheduler(
            settings.schedule,
            optimizer,
            num_warmup_steps=settings.warmup_steps,
            num_training_steps=settings.steps,
        )
        for optimizer in optimizers
    ]
    average = (
        libraries.diffusers.EMAModel(weights, decay=ema_decay, foreach=True) if ema_decay else None
    )
    if average:
        average.to(accelerator.device)
    log = _resume(checkpoint, parameters, optimizers, schedulers, average)
    yield from log
    saved = time.monotonic()
    at_once = settings.micro_batch_size or settings.batch_size
    for step in range(len(log), settings.steps):
        value, at_once = _gradients(loss, step, settings.batch_size, at_once, weights, accelerator)
        norm = _reduce_and_clip(weights, settings.max_grad_norm, accelerator)
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
        rate = schedulers[0].get_last_lr()[0]
        log.append(TrainingStep(step, value.item(), norm.item(), rate))
        if checkpoint and time.monotonic() - saved > checkpoint.every:
            if accelerator.is_main_process:
                _save(checkpoint, log, parameters, optimizers, schedulers, average)
            saved = time.monotonic()
        yield log[-1]
    if average:
        average.copy_to(weights)


def _optimizers(
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


def _gradients(
    loss: Loss,
    step: int,
    batch_size: int,
    at_once: int,
    weights: list[nn.Parameter],
    accelerator: Accelerator,
) -> tuple[Tensor, int]:
    """Mean loss of the step, its gradients accumulated, and how many rows fit at once."""
    while True:
        try:
            return _accumulate(loss, step, batch_size, at_once, accelerator), at_once
        except RuntimeError as error:
            at_once = halved(at_once, error)
        for weight in weights:
            weight.grad = None  # a backward pass that was cut short has left some of it


def _accumulate(
    loss: Loss, step: int, batch_size: int, at_once: int, accelerator: Accelerator
) -> Tensor:
    rows = torch.arange(batch_size)[accelerator.process_index :: accelerator.num_processes]
    if len(rows) == 0:
        raise ValueError(
            f"batch_size {batch_size} is smaller than the number of processes "
            f"{accelerator.num_processes}; raise finetune.batch_size"
        )
    total = torch.zeros((), device=accelerator.device)
    for part in rows.split(at_once):
        # The mean over the whole batch of the step, wherever its rows are computed.
        share = loss(step, part).sum() / batch_size
        accelerator.backward(share)
        total += share.detach()
    return accelerator.reduce(total, "sum")


def _reduce_and_clip(
    weights: list[nn.Parameter], max_norm: float, accelerator: Accelerator
) -> Tensor:
    """Sum gradients over processes, clip their global norm, return the norm before clipping."""
    if accelerator.num_processes > 1:
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        # One message, not one per tensor: the cost of a reduction is its latency.
        total = accelerator.reduce(torch.cat([g.flatten() for g in gradients]), "sum")
        for gradient, part in zip(
            gradients, total.split([g.numel() for g in gradients]), strict=True
        ):
            gradient.copy_(part.view_as(gradient))
    return torch.nn.utils.clip_grad_norm_(weights, max_norm)


def _save(
    checkpoint: Checkpoint,
    log: Sequence[TrainingStep],
    parameters: Mapping[str, nn.Parameter],
    optimizers: list[torch.optim.Optimizer],
    schedulers: list[torch.optim.lr_scheduler.LRScheduler],
    average: EMAModel | None,
) -> None:
    checkpoint.path.parent.mkdir(parents=True, exist_ok=True)
    partial = checkpoint.path.with_suffix(".partial")
    torch.save(
        {
            "key": checkpoint.key,
            "log": [astuple(step) for step in log],
            "weights": {name: p.detach().cpu() for name, p in parameters.items()},
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            "schedulers": [scheduler.state_dict() for scheduler in schedulers],
            "average": average.state_dict() if average else None,
        },
        partial,
    )
    os.replace(partial, checkpoint.path)


def _resume(
    checkpoint: Checkpoint | None,
    parameters: Mapping[str, nn.Parameter],
    optimizers: list[torch.optim.Optimizer],
    schedulers: list[torch.optim.lr_scheduler.LRScheduler],
    average: EMAModel | None,
) -> list[TrainingStep]:
    """The steps that are done; loads the saved state into its arguments if it is of this run."""
    if checkpoint is None or not checkpoint.path.exists():
        return []
    state = torch.load(checkpoint.path, map_location="cpu", weights_only=True)
    if state["key"] != checkpoint.key:
        return []
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(state["weights"][name])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    for scheduler, saved in zip(schedulers, state["schedulers"], strict=True):
        scheduler.load_state_dict(saved)
    if average:
        average.load_state_dict(state["average"])
        average.to(next(iter(parameters.values())).device)
    return [TrainingStep(*step) for step in state["log"]]
