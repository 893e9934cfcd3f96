"""Objectives that train on what the model itself samples while it is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, TypeAlias

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn
from typing_extensions import Self

from mitune.diffusion.denoiser import Condition
from mitune.objectives.base import MetricChoice, Objective
from mitune.objectives.draws import TimestepDensity, Transitions
from mitune.objectives.policy import Policy
from mitune.objectives.rows import Captions, Rows, Trajectory

Reward: TypeAlias = Callable[[Tensor], Tensor]


class Online(Objective[Trajectory, Transitions], ABC):
    """A loss on trajectories that the policy makes itself, `rollouts` of them every `every` steps.

    An example is one transition of one trajectory. The trajectories of a `group` have one prompt.
    `reward` is the name of a metric.
    """

    reward: str = Field(min_length=1)
    rollouts: PositiveInt
    every: PositiveInt = 1

    rows: ClassVar[type[Rows]] = Trajectory

    @model_validator(mode="after")
    def _whole_groups(self) -> Self:
        if self.rollouts % self.group:
            raise ValueError(
                f"rollouts: {self.rollouts} is no multiple of {self.group}, the trajectories that "
                "belong together; change one of them"
            )
        return self

    @property
    def metric(self) -> MetricChoice:
        """Its reward."""
        return MetricChoice("reward", self.reward)

    @property
    @abstractmethod
    def evaluations(self) -> int:
        """Of the network on one latent, to make one trajectory."""

    def modules(self, latent_shape: Sequence[int], condition: Condition) -> Mapping[str, nn.Module]:
        """Fresh networks to train beside the policy's, by name: a value function.

        `condition` is that of a prompt: its sizes are those of all.
        """
        return {}

    @abstractmethod
    def rollout(
        self,
        policy: Policy,
        captions: Captions,
        latent_shape: Sequence[int],
        generators: Sequence[torch.Generator],
        reward: Reward,
    ) -> Trajectory:
        """One trajectory per caption, each from its own generator alone; no gradients.

        `reward` takes the pictures' latents (E, C, h, w) and gives (E,).
        """

    def draw(
        self, rows: Trajectory, times: TimestepDensity, generator: torch.Generator
    ) -> Transitions:
        """Any transition of each trajectory; the density of timesteps is the sampler's own."""
        return Transitions(torch.randint(rows.times.shape[1], (len(rows),), generator=generator))
