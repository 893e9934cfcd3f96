"""Gradients of one step: in parts that fit in memory, over all processes, clipped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from mitune.memory import halved
from mitune.training.task import Task

T = TypeVar("T")


class StepMeans(NamedTuple):
    """Means over a step, each (): of the loss, and by name of what its objective watches."""

    loss: Tensor
    watched: Mapping[str, Tensor]


class StepGradients:
    """Means and gradients of a task's steps, each example's share wherever it is computed.

    `at_once`: how many examples to start with; whole groups, and fewer when memory runs out.

    Raises
    ------
    ValueError
        If there are fewer groups in a batch than processes.
    """

    def __init__(
        self,
        task: Task,
        weights: Sequence[nn.Parameter],
        batch_size: int,
        at_once: int,
        accelerator: Accelerator,
    ) -> None:
        groups = torch.arange(batch_size).view(-1, task.group)
        # Neighbours, as micro-batches are: two processes add up what two halves of a batch do.
        self._mine = groups.tensor_split(accelerator.num_processes)[accelerator.process_index]
        if len(self._mine) == 0:
            raise ValueError(
                f"batch_size {batch_size} gives less than one example, or one group of "
                f"{task.group}, to each of {accelerator.num_processes} processes; raise "
                "finetune.optimisation.batch_size"
            )
        self._task = task
        self._weights = list(weights)
        self._batch_size = batch_size
        self._groups_at_once = max(1, at_once // task.group)
        self._accelerator = accelerator

    def __call__(self, step: int) -> StepMeans:
        """Means over the step; the gradient of the loss is left on the weights."""
        self._task.prepare(step, self._accelerator)
        # Once, whatever memory does later: the processes meet here, and weights do not change.
        whole = everywhere(
            self._fitting(self._survey), self._mine.flatten(), self._batch_size, self._accelerator
        )
        means = self._fitting(lambda groups: self._accumulate(groups, whole))
        # One message for all; every process has the same names.
        together = torch.stack([means.loss, *means.watched.values()])
        loss, *watched = self._accelerator.reduce(together, "sum")
        return StepMeans(loss, dict(zip(means.watched, watched, strict=True)))

    def _fitting(self, work: Callable[[int], T]) -> T:
        while True:
            try:
                return work(self._groups_at_once)
            except RuntimeError as error:
                self._groups_at_once = halved(self._groups_at_once, error)
            for weight in self._weights:
                weight.grad = None  # a backward pass that was cut short has left some of it

    @torch.no_grad()
    def _survey(self, groups: int) -> Tensor:
        return torch.cat([self._task.survey(part.flatten()) for part in self._mine.split(groups)])

    def _accumulate(self, groups: int, whole: Tensor) -> StepMeans:
        total = torch.zeros((), device=self._accelerator.device)
        watched: dict[str, Tensor] = {}
        for part in self._mine.split(groups):
            found = self._task.losses(part.flatten(), whole)
            # The mean over the whole batch of the step, wherever its rows are computed.
            share = found.values.sum() / self._batch_size
            self._accelerator.backward(share)
            total += share.detach()
            for name, values in found.watched.items():
                seen = values.to(total).sum() / self._batch_size
                watched[name] = watched.get(name, torch.zeros_like(total)) + seen
        return StepMeans(total, watched)


def everywhere(mine: Tensor, places: Tensor, count: int, accelerator: Accelerator) -> Tensor:
    """(count, ...) of all processes, from what each has for its `places` of them."""
    table = torch.zeros((count, *mine.shape[1:]), dtype=mine.dtype, device=accelerator.device)
    table[places.to(table.device)] = mine.to(table.device)
    if accelerator.num_processes > 1 and table.numel():
        table = accelerator.reduce(table, "sum")  # exact: all others have 0 there
    return table


def reduce_and_clip(
    weights: Sequence[nn.Parameter], max_norm: float, accelerator: Accelerator
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
