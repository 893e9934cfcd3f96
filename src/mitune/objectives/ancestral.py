"""Online objectives on the steps of an ancestral sampler, guided as pictures are."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import NamedTuple

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor

from mitune.diffusion.denoiser import Denoiser
from mitune.diffusion.guided import guide, predict_pair
from mitune.diffusion.prediction import Prediction
from mitune.diffusion.sampling import initial_noise
from mitune.diffusion.transitions import mean_log_density, transition
from mitune.objectives.base import Passes
from mitune.objectives.draws import TimestepDensity, Transitions
from mitune.objectives.online import Online, Reward
from mitune.objectives.policy import Policy
from mitune.objectives.rows import Captions, Trajectory


class Taken(NamedTuple):
    """Transitions of E examples: from `state` (E, ...) at `t` (E,) to `following` at `later`.

    `log_prob` (E,) is its log-density under the policy that made it.
    """

    state: Tensor
    t: Tensor
    following: Tensor
    later: Tensor
    log_prob: Tensor


class Ancestral(Online, ABC):
    """Trajectories of DDIM at eta = 1 in `steps` steps, by predictions guided by `guidance_scale`.

    The last step adds no noise: it has no density and is not trained on, so that DDPM and flow
    models are alike. Any parametrisation will do, since a prediction is taken as x0 and noise.
    """

    steps: int = Field(default=50, ge=2)
    guidance_scale: PositiveFloat = 7.5

    @property
    def passes(self) -> Passes:
        """Of the reference and the policy, guided; making trajectories comes on top."""
        return Passes(self._branches, self._branches)

    @property
    def evaluations(self) -> int:
        """As `Online.evaluations`."""
        return self.steps * self._branches

    @property
    def _branches(self) -> int:
        return 1 if self.guidance_scale == 1 else 2

    def rollout(
        self,
        policy: Policy,
        captions: Captions,
        latent_shape: Sequence[int],
        generators: Sequence[torch.Generator],
        reward: Reward,
    ) -> Trajectory:
        """As `Online.rollout`; the log-density of the last step counts as 0."""
        device = captions.numbers.device
        times = policy.path.sampling_times(self.steps).to(device).expand(len(captions), -1)
        states = [initial_noise(latent_shape, generators).to(device)]
        log_probs = []
        for index in range(self.steps - 1):
            predicted = self.guided(policy, states[-1], times[:, index], captions)
            law = transition(policy.path, predicted, times[:, index + 1])
            noise = initial_noise(latent_shape, generators).to(device)
            states.append((law.mean + law.stddev * noise).to(noise))
            log_probs.append(mean_log_density(law, states[-1]))
        last = self.guided(policy, states[-1], times[:, -1], captions).x0
        states.append(last.to(states[0]))
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
        """Any transition of each trajectory but the last, which has no density."""
        count = rows.times.shape[1] - 1
        return Transitions(torch.randint(count, (len(rows),), generator=generator))

    def taken(self, rows: Trajectory, draws: Transitions) -> Taken:
        """The transitions that were drawn."""
        each, index = torch.arange(len(rows), device=draws.index.device), draws.index
        return Taken(
            rows.states[each, index],
            rows.times[each, index],
            rows.states[each, index + 1],
            rows.times[each, index + 1],
            rows.log_probs[each, index],
        )

    def guided(self, model: Denoiser, z_t: Tensor, t: Tensor, captions: Captions) -> Prediction:
        """The prediction that drives the sampler at `z_t` (E, ...), `t` (E,)."""
        condition = captions.condition
        if self.guidance_scale == 1:
            return model.predict(z_t, t, condition)
        null = captions.encoded[[len(captions.encoded) - 1]]  # the empty prompt is the last one
        return guide(*predict_pair(model, z_t, t, condition, null), self.guidance_scale)
