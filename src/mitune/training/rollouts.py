"""Examples of an online objective: trajectories that the policy makes while it is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor

from mitune.backbones import Backbone
from mitune.errors import UserError
from mitune.memory import halved
from mitune.objectives import Online, Policy
from mitune.objectives.draws import TimestepDensity, Transitions
from mitune.objectives.rows import Captions, Trajectory
from mitune.seeds import image_seed
from mitune.training.examples import ExamplesTask
from mitune.training.gradients import everywhere
from mitune.training.order import epoch_order, group_order

_TENSORS = tuple(f.name for f in fields(Trajectory) if f.name != "captions")


Reward: TypeAlias = Callable[[NDArray[np.uint8], Sequence[str]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class RolloutSource:
    """Where trajectories start from, and what their ends are worth.

    `prompts` (P,) are those of `captions`. `reward` takes latents (E, C, h, w) of pictures and
    their prompts, and gives (E,).
    """

    prompts: Sequence[str]
    captions: Captions
    latent_shape: Sequence[int]
    reward: Callable[[Tensor, Sequence[str]], Tensor]


class RolledExamples(ExamplesTask[Trajectory, Transitions]):
    """Every `objective.every` steps the policy makes trajectories; the steps train on them.

    They are made outside the loop that halves batches, `at_once` at a time, shared out over
    processes, and are the state that a checkpoint needs.

    Raises
    ------
    UserError
        If a reward is not finite, or there are more processes than trajectories.
    """

    def __init__(
        self,
        objective: Online,
        policy: Policy,
        source: RolloutSource,
        times: TimestepDensity,
        batch_size: int,
        at_once: int,
        seed: int,
        device: torch.device,
    ) -> None:
        super().__init__(objective, policy, times, batch_size, seed, device)
        self._online = objective
        self._source = source
        self._at_once = at_once
        self._made_at = -1
        self._trajectories: Trajectory

    def prepare(self, step: int, accelerator: Accelerator) -> None:
        """As `ExamplesTask.prepare`, after making trajectories if it is time."""
        due = step - step % self._online.every
        if due != self._made_at:
            self._trajectories = self._make(due, accelerator)
            self._made_at = due
        total = self._online.rollouts
        picks = group_order(step, self._batch_size, total, self.group, self._seed)
        self._draw(step, self._trajectories[picks])

    def _make(self, step: int, accelerator: Accelerator) -> Trajectory:
        """Trajectories of the policy as it is at `step`, those of a group with one prompt."""
        total, group = self._online.rollouts, self.group
        if total < accelerator.num_processes:
            raise UserError(
                f"finetune.objective.rollouts is {total}, fewer than the processes "
                f"({accelerator.num_processes}); raise it"
            )
        window = step // self._online.every
        chosen = epoch_order(window, total // group, len(self._source.prompts), self._seed)
        numbers = chosen.repeat_interleave(group)
        places = torch.arange(total)[accelerator.process_index :: accelerator.num_processes]
        parts = self._roll_fitting(step, places, numbers)
        made: dict[str, Any] = {
            name: everywhere(
                torch.cat([getattr(part, name) for part in parts]), places, total, accelerator
            ).cpu()
            for name in _TENSORS
        }
        return Trajectory(captions=self._captions(numbers), **made)

    def _captions(self, numbers: Tensor) -> Captions:
        return Captions(self._source.captions.encoded, numbers)

    def _roll_fitting(self, step: int, places: Tensor, numbers: Tensor) -> list[Trajectory]:
        parts: list[Trajectory] = []
        while len(places):
            batch = places[: self._at_once]
            try:
                parts.append(self._roll(step, batch, numbers[batch]))
            except RuntimeError as error:
                self._at_once = halved(len(batch), error)
                continue
            places = places[len(batch) :]
        return parts

    @torch.no_grad()
    def _roll(self, step: int, places: Tensor, numbers: Tensor) -> Trajectory:
        texts = [self._source.prompts[number] for number in numbers.tolist()]

        def reward(latents: Tensor) -> Tensor:
            values = self._source.reward(latents, texts)
            for text, value in zip(texts, values.tolist(), strict=True):
                if not math.isfinite(value):
                    raise UserError(
                        f"the reward of a picture of {text!r} is {value}; check the metric, or "
                        "leave this prompt out"
                    )
            return values

        seeds = [image_seed("rollout", self._seed, step, place) for place in places.tolist()]
        return self._online.rollout(
            self._policy,
            self._captions(numbers).to(self._device),
            self._source.latent_shape,
            [torch.Generator().manual_seed(seed) for seed in seeds],
            reward,
        )

    def state(self) -> Mapping[str, Any]:
        """The trajectories, and the step they were made at; nothing before the first."""
        if self._made_at < 0:
            return {}
        tensors = {name: getattr(self._trajectories, name) for name in _TENSORS}
        numbers = self._trajectories.captions.numbers
        return {"made_at": self._made_at, "numbers": numbers, **tensors}

    def restore(self, state: Mapping[str, Any]) -> None:
        """As they were."""
        self._made_at = int(state.get("made_at", -1))
        if self._made_at < 0:
            return
        tensors = {name: state[name] for name in _TENSORS}
        self._trajectories = Trajectory(captions=self._captions(state["numbers"]), **tensors)


def rollout_source(
    backbone: Backbone, texts: Iterable[str], reward: Reward | None
) -> RolloutSource:
    """From any of `texts`, for the worth of decoded pictures.

    Raises
    ------
    UserError
        If there is no reward.
    """
    if reward is None:
        raise UserError("finetune.objective: it trains on a reward; name a metric to take it from")
    prompts = sorted(texts)

    def of_latents(latents: Tensor, said: Sequence[str]) -> Tensor:
        return torch.from_numpy(np.asarray(reward(backbone.decode(latents), said), np.float32))

    captions = Captions(backbone.encode_prompts([*prompts, ""]), torch.arange(len(prompts)))
    return RolloutSource(prompts, captions, backbone.latent_shape, of_latents)
