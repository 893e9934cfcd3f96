"""The state of a run on disk, so that it can be interrupted."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from mitune.training.task import Task

if TYPE_CHECKING:
    from diffusers.training_utils import EMAModel


@dataclass(frozen=True)
class TrainingStep:
    """One optimiser step: mean loss, gradient norm before clipping, learning rate.

    `seconds` is what it took, which no other run has to equal. `watched` are means of what the
    objective watches, by name.
    """

    index: int
    loss: float
    grad_norm: float
    learning_rate: float
    seconds: float = field(default=math.nan, compare=False)
    watched: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """Where to keep the state of a run, and how often to write it (seconds).

    `key` names what is being trained; a state written under another key is not resumed.
    """

    path: Path
    key: str
    every: float = 60.0


@dataclass(frozen=True, eq=False)
class RunState:
    """Everything that changes while a run goes on."""

    parameters: Mapping[str, nn.Parameter]
    optimizers: Sequence[torch.optim.Optimizer]
    schedulers: Sequence[LRScheduler]
    average: EMAModel | None
    task: Task

    def save(self, checkpoint: Checkpoint, log: Sequence[TrainingStep]) -> None:
        """Write it next to its place, then move it there."""
        checkpoint.path.parent.mkdir(parents=True, exist_ok=True)
        partial = checkpoint.path.with_suffix(".partial")
        torch.save(
            {
                "key": checkpoint.key,
                "log": [astuple(step) for step in log],
                "weights": {name: p.detach().cpu() for name, p in self.parameters.items()},
                "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
                "schedulers": [scheduler.state_dict() for scheduler in self.schedulers],
                "average": self.average.state_dict() if self.average else None,
                "task": dict(self.task.state()),
            },
            partial,
        )
        os.replace(partial, checkpoint.path)

    def resume(self, checkpoint: Checkpoint | None) -> list[TrainingStep]:
        """The steps done, and all as it was after them, if the checkpoint is of this run."""
        if checkpoint is None or not checkpoint.path.exists():
            return []
        state = torch.load(checkpoint.path, map_location="cpu", weights_only=True)
        if state["key"] != checkpoint.key:
            return []
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(state["weights"][name])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        for scheduler, saved in zip(self.schedulers, state["schedulers"], strict=True):
            scheduler.load_state_dict(saved)
        if self.average:
            self.average.load_state_dict(state["average"])
            self.average.to(next(iter(self.parameters.values())).device)
        self.task.restore(state["task"])
        return [TrainingStep(*step) for step in state["log"]]
