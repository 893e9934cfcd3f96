"""How the small networks of the benchmark are trained: on the one loop of mitune."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from accelerate import Accelerator
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mitune.seeds import image_seed
from mitune.training.loop import fit
from mitune.training.optimisation import Optimisation

BatchLoss: TypeAlias = Callable[[Tensor, Tensor, torch.Generator], Tensor]


class Training(BaseModel):
    """Adam on random batches of the training points; the mean weights of the last steps are kept.

    `hidden`: width of the two hidden layers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: PositiveInt = 3000
    batch_size: PositiveInt = 256
    learning_rate: PositiveFloat = 2e-3
    hidden: PositiveInt = 128
    ema_decay: PositiveFloat = 0.999
    warmup_steps: NonNegativeInt = 100

    @property
    def optimisation(self) -> Optimisation:
        """For the loop."""
        return Optimisation(
            steps=self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            schedule="cosine",
            warmup_steps=min(self.warmup_steps, self.steps - 1),
            weight_decay=0.0,
        )


def train(
    network: nn.Module, loss: BatchLoss, points: Sequence[Tensor], settings: Training, seed: int
) -> None:
    """Minimise `loss(x, y, generator)`, (batch,) values on a random batch of `points`."""
    x, y = points

    def of_step(step: int, rows: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(image_seed("mi_benchmark", seed, step))
        picks = torch.randint(len(x), (settings.batch_size,), generator=generator)[rows]
        return loss(x[picks], y[picks], generator)

    accelerator = Accelerator(cpu=True)
    steps = fit(
        {"network": network},
        of_step,
        settings.optimisation,
        accelerator,
        ema_decay=min(settings.ema_decay, 1 - 10 / (settings.steps + 10)),
    )
    for _ in steps:
        pass
    network.eval()


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two hidden layers."""
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.SiLU(),
        nn.Linear(hidden, hidden),
        nn.SiLU(),
        nn.Linear(hidden, outputs),
    )
