"""D3PO: prefer, of a policy's own trajectories, those whose pictures are worth more."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import logsigmoid

from mitune.diffusion.transitions import mean_log_density, transition
from mitune.objectives import watched
from mitune.objectives.ancestral import Ancestral
from mitune.objectives.base import Losses, Whole
from mitune.objectives.draws import TimestepDensity, Transitions
from mitune.objectives.policy import Policy
from mitune.objectives.rows import Trajectory


class D3PO(Ancestral):
    """-log sigma(beta h (log rho_i - log rho_j)), mean over the other pictures j of i's prompt.

    rho = p_theta / p_ref of one transition, the same step for all `images` of a prompt, held in
    [1 - clip, 1 + clip]; h is 1 if picture i is worth more than j, -1 if less, 0 if both are worth
    the same: then it is log 2 without a gradient, as it is at the reference whatever beta is.

    Yang et al. 2023, arXiv:2311.13231, as the released code has it: log p is a mean over
    the elements of a latent, of DDIM's kernel with eta = 1, at the noise of classifier-free
    guidance; beyond the clip a transition moves nothing. Departures: a metric, the `reward` of that
    name, prefers in place of people; a step is the mean over a batch of pairs and timesteps; the
    last step of the sampler adds no noise, has no density and is not trained on, so that a flow is
    sampled and trained alike.
    """

    kind: Literal["d3po"] = "d3po"
    reward: str = Field(default="judge", min_length=1)
    beta: NonNegativeFloat = 0.1
    clip: float = Field(default=0.1, gt=0, lt=1)
    guidance_scale: PositiveFloat = 5.0
    steps: int = Field(default=20, ge=2)
    images: int = Field(default=7, ge=2)
    rollouts: PositiveInt = 70
    every: PositiveInt = 20

    @property
    def group(self) -> int:
        """The pictures of a prompt."""
        return self.images

    def draw(
        self, rows: Trajectory, times: TimestepDensity, generator: torch.Generator
    ) -> Transitions:
        """One transition for all pictures of a prompt, any but the last, which has no density."""
        sets, transitions = len(rows) // self.images, rows.times.shape[1] - 1
        index = torch.randint(transitions, (sets,), generator=generator)
        return Transitions(index.repeat_interleave(self.images))

    def loss(self, policy: Policy, rows: Trajectory, draws: Transitions, whole: Whole) -> Tensor:
        """(E,) losses."""
        return self.losses(policy, rows, draws, whole).values

    def losses(self, policy: Policy, rows: Trajectory, draws: Transitions, whole: Whole) -> Losses:
        """As `Objective.losses`; `watched.of_steps`, ratios to the reference."""
        state, t, reached, later, _ = self.taken(rows, draws)
        tuned, reference = (
            mean_log_density(
                transition(model.path, self.guided(model, state, t, rows.captions), later), reached
            )
            for model in (policy, policy.reference)
        )
        values = self.of_log_probs(tuned, reference, rows.rewards)
        return Losses(values, watched.of_steps(rows.rewards, tuned - reference, self.clip))

    def of_log_probs(self, tuned: Tensor, reference: Tensor, rewards: Tensor) -> Tensor:
        """(E,) losses of log-densities and rewards, all (E,), of whole groups."""
        within = math.log1p(-self.clip), math.log1p(self.clip)
        ratios = (tuned - reference).clamp(*within).view(-1, self.images)
        worth = rewards.view(-1, self.images)
        better = (worth[:, :, None] - worth[:, None, :]).sign()
        z = self.beta * better * (ratios[:, :, None] - ratios[:, None, :])
        others = ~torch.eye(self.images, dtype=torch.bool, device=z.device)
        return (-logsigmoid(z) * others).sum(2).flatten() / (self.images - 1)
