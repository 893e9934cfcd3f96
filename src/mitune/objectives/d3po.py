"""D3PO: prefer, of a policy's own trajectories, those whose pictures are worth more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import logsigmoid

from mitune.diffusion.denoiser import Denoiser
from mitune.diffusion.guided import guide, predict_pair
from mitune.diffusion.prediction import Prediction
from mitune.diffusion.sampling import initial_noise
from mitune.diffusion.transitions import mean_log_density, transition
from mitune.objectives.base import Passes, Whole
from mitune.objectives.draws import TimestepDensity, Transitions
from mitune.objectives.online import Online, Reward
from mitune.objectives.policy import Policy
from mitune.objectives.rows import Captions, Trajectory


class D3PO(Online):
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

    passes: ClassVar[Passes] = Passes(2, 2)

    @property
    def group(self) -> int:
        """The pictures of a prompt."""
        return self.images

    def rollout(
        self,
        policy: Policy,
        captions: Captions,
        latent_shape: Sequence[int],
        generators: Sequence[torch.Generator],
        reward: Reward,
    ) -> Trajectory:
        """As `Online.rollout`."""
        device = captions.numbers.device
        times = policy.path.sampling_times(self.steps).to(device).expand(len(captions), -1)
        states = [initial_noise(latent_shape, generators).to(device)]
        log_probs = []
        for index in range(self.steps - 1):
            t, later = times[:, index], times[:, index + 1]
            law = transition(policy.path, self._guided(policy, states[-1], t, captions), later)
            noise = initial_noise(latent_shape, generators).to(device)
            states.append((law.mean + law.stddev * noise).to(noise))
            log_probs.append(mean_log_density(law, states[-1]))
        states.append(self._guided(policy, states[-1], times[:, -1], captions).x0.to(states[0]))
        log_probs.append(torch.zeros_like(log_probs[0]))
        return Trajectory(
            torch.stack(states, 1),
            times,
            torch.stack(log_probs, 1),
            captions,
            reward(states[-1]).to(states[-1]),
        )

    def draw(
        self, rows: Trajectory, times: TimestepDensity, generator: torch.Generator
    ) -> Transitions:
        """One transition for all pictures of a prompt, any but the last, which has no density."""
        sets, transitions = len(rows) // self.images, rows.times.shape[1] - 1
        index = torch.randint(transitions, (sets,), generator=generator)
        return Transitions(index.repeat_interleave(self.images))

    def loss(self, policy: Policy, rows: Trajectory, draws: Transitions, whole: Whole) -> Tensor:
        """(E,) losses."""
        each, index = torch.arange(len(rows), device=draws.index.device), draws.index
        state, reached = rows.states[each, index], rows.states[each, index + 1]
        t, later = rows.times[each, index], rows.times[each, index + 1]
        tuned, reference = (
            mean_log_density(
                transition(model.path, self._guided(model, state, t, rows.captions), later), reached
            )
            for model in (policy, policy.reference)
        )
        return self.of_log_probs(tuned, reference, rows.rewards)

    def of_log_probs(self, tuned: Tensor, reference: Tensor, rewards: Tensor) -> Tensor:
        """(E,) losses of log-densities and rewards, all (E,), of whole groups."""
        within = math.log1p(-self.clip), math.log1p(self.clip)
        ratios = (tuned - reference).clamp(*within).view(-1, self.images)
        worth = rewards.view(-1, self.images)
        better = (worth[:, :, None] - worth[:, None, :]).sign()
        z = self.beta * better * (ratios[:, :, None] - ratios[:, None, :])
        others = ~torch.eye(self.images, dtype=torch.bool, device=z.device)
        return (-logsigmoid(z) * others).sum(2).flatten() / (self.images - 1)

    def _guided(self, model: Denoiser, z_t: Tensor, t: Tensor, captions: Captions) -> Prediction:
        # The empty prompt is the last one (`Captions`).
        null = captions.encoded[[len(captions.encoded) - 1]]
        return guide(*predict_pair(model, z_t, t, captions.condition, null), self.guidance_scale)
