"""An objective's examples as the loop trains on them: a given set, or one made on the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic

import torch
from accelerate import Accelerator
from torch import Tensor

from mitune.objectives import Losses, Policy, Whole
from mitune.objectives.base import D, Objective, R
from mitune.objectives.draws import TimestepDensity
from mitune.seeds import image_seed
from mitune.training.order import epoch_order, weighted_order


class ExamplesTask(ABC, Generic[R, D]):
    """A `Task` whose step is on `batch_size` examples.

    All that is random in a step is drawn at once, from a generator of (seed, step), so that neither
    micro-batches nor the number of processes change it. Examples are kept on the CPU.
    """

    def __init__(
        self,
        objective: Objective[R, D],
        policy: Policy,
        times: TimestepDensity,
        batch_size: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self._objective = objective
        self._policy = policy
        self._times = times
        self._batch_size = batch_size
        self._seed = seed
        self._device = device
        self._rows: R
        self._draws: D

    @property
    def group(self) -> int:
        """As the objective says."""
        return self._objective.group

    @abstractmethod
    def prepare(self, step: int, accelerator: Accelerator) -> None:
        """Draw the step's examples, and what the objective draws for them."""

    def _draw(self, step: int, rows: R) -> torch.Generator:
        generator = torch.Generator().manual_seed(image_seed("finetune", self._seed, step))
        self._rows = rows
        self._draws = self._objective.draw(rows, self._times, generator)
        return generator

    def survey(self, rows: Tensor) -> Tensor:
        """As `Objective.survey`."""
        return self._objective.survey(self._policy, *self._part(rows))

    def losses(self, rows: Tensor, whole: Tensor) -> Losses:
        """As `Objective.losses`."""
        surveyed = Whole(whole, whole[rows.to(whole.device)])
        return self._objective.losses(self._policy, *self._part(rows), surveyed)

    def _part(self, rows: Tensor) -> tuple[R, D]:
        return self._rows[rows].to(self._device), self._draws[rows].to(self._device)

    @abstractmethod
    def state(self) -> Mapping[str, Any]:
        """As `Task.state`."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None:
        """As `Task.restore`."""


class GivenExamples(ExamplesTask[R, D]):
    """`examples` in random order or as often as the objective says, some without their captions."""

    def __init__(
        self,
        objective: Objective[R, D],
        policy: Policy,
        examples: R,
        times: TimestepDensity,
        batch_size: int,
        caption_dropout: float,
        seed: int,
        device: torch.device,
    ) -> None:
        super().__init__(objective, policy, times, batch_size, seed, device)
        self._examples = examples
        self._frequencies = objective.frequencies(examples)
        self._caption_dropout = caption_dropout

    def prepare(self, step: int, accelerator: Accelerator) -> None:
        """As `ExamplesTask.prepare`; captions are dropped after the objective's own draws."""
        picks = self._picks(step)
        generator = self._draw(step, self._examples[picks])
        dropped = torch.rand(self._batch_size, generator=generator) < self._caption_dropout
        self._rows = self._rows.without_captions(dropped)

    def _picks(self, step: int) -> Tensor:
        if self._frequencies is None:
            return epoch_order(step, self._batch_size, len(self._examples), self._seed)
        return weighted_order(step, self._batch_size, self._frequencies, self._seed)

    def state(self) -> Mapping[str, Any]:
        """Nothing: a step depends on its index alone."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to do."""
