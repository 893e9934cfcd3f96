"""What a fine-tuning loss eats, draws and returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Generic, Literal, NamedTuple, TypeVar

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from mitune.objectives.draws import Draws, TimestepDensity
from mitune.objectives.policy import Policy
from mitune.objectives.rows.base import PerExample, Rows

R = TypeVar("R", bound=Rows)
D = TypeVar("D", bound=PerExample)


class Passes(NamedTuple):
    """Evaluations of the network for one example in one step, on one latent each."""

    without_gradient: float
    with_gradient: float


class MetricChoice(NamedTuple):
    """A metric by the name it has among those of a run, and the field that holds this name."""

    field: Literal["reward", "encoder"]
    name: str


@dataclass(frozen=True, eq=False)
class Whole:
    """What `Objective.survey` gave: for `all` examples of the step (B, K), for one's `own` (E, K).

    It carries no gradient.
    """

    all: Tensor
    own: Tensor


class Losses(NamedTuple):
    """`values` (E,), and by name what else there is to look at, (E,) each, without gradients."""

    values: Tensor
    watched: Mapping[str, Tensor] = MappingProxyType({})


class Objective(BaseModel, ABC, Generic[R, D]):
    """A loss with its hyper-parameters; one value per example, reduced by the trainer alone.

    A step works on B examples, in parts that fit in memory and never split a group.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: ClassVar[type[Rows]]

    @property
    @abstractmethod
    def passes(self) -> Passes:
        """What one example of a step costs."""

    @property
    def uses_reference(self) -> bool:
        """Whether it asks what the model was before training."""
        return self.passes.without_gradient > 0

    @property
    def metric(self) -> MetricChoice | None:
        """The metric that it cannot be trained without, if any: its reward, or an encoder."""
        return None

    @property
    def group(self) -> int:
        """How many neighbouring examples of a step are kept together (a contrast set)."""
        return 1

    def frequencies(self, rows: R) -> Tensor | None:
        """How often each example of the set (E,) is trained on, relative to each other.

        Asked once, before training. None: all of them, before any comes again.

        Raises
        ------
        UserError
            If the set as a whole teaches nothing.
        """
        return None

    @abstractmethod
    def draw(self, rows: R, times: TimestepDensity, generator: torch.Generator) -> D:
        """Draws for all B examples of a step; they do not depend on how these are split."""

    def survey(self, policy: Policy, rows: R, draws: D) -> Tensor:
        """What an example's loss needs to know of all others, (E, K); nothing unless overridden.

        Taken without gradient for all examples of the step, over all processes, before the first
        loss: the mean over a batch, for instance, is one of `Whole.all`.
        """
        return torch.empty(len(rows), 0)

    @abstractmethod
    def loss(self, policy: Policy, rows: R, draws: D, whole: Whole) -> Tensor:
        """(E,) losses of one or more groups."""

    def losses(self, policy: Policy, rows: R, draws: D, whole: Whole) -> Losses:
        """`loss`, with what there is to watch; nothing unless overridden."""
        return Losses(self.loss(policy, rows, draws, whole))


class Denoising(Objective[R, Draws], Generic[R]):
    """An objective on clean latents, each noised once in a step."""

    def draw(self, rows: R, times: TimestepDensity, generator: torch.Generator) -> Draws:
        """Independent timesteps, then noise."""
        t = times.draw(len(rows), generator)
        return Draws(t, torch.randn((len(rows), *rows.latent_shape), generator=generator))
