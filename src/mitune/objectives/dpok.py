"""DPOK: a policy gradient towards a reward, held near the reference by a KL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.distributions import kl_divergence

from mitune.diffusion.denoiser import Condition
from mitune.diffusion.noise import NoisePath
from mitune.diffusion.prediction import Prediction
from mitune.diffusion.transitions import mean_log_density, transition
from mitune.objectives import watched
from mitune.objectives.ancestral import Ancestral
from mitune.objectives.base import Losses, Whole
from mitune.objectives.draws import Transitions
from mitune.objectives.policy import Policy
from mitune.objectives.rows import Trajectory
from mitune.objectives.value import ValueFunction


class DPOK(Ancestral):
    """-`reward_weight` (r - V) clip(rho) + `kl_weight` KL + (r - V)^2, of one transition.

    Fan et al. 2023, arXiv:2305.16381, Alg. 1, as the released code has it: rho is the exponential
    of the difference of log-densities, means over a latent's elements, to the policy that made the
    trajectory; clipped at 1 +- `clip` on both sides (PPO takes a minimum besides), so that beyond
    it the reward has no gradient. V(z_t, p, t) learns from the last term alone, with the policy's
    optimiser and clipping of gradients, where the code has steps of its own for it.

    `kl`: `transitions` is that of the two Gaussian steps, the paper's, mean over elements;
    `predictions` the code's, (eps - eps_ref)^2, which leaves out what hangs on the noise level.
    """

    kind: Literal["dpok"] = "dpok"
    reward: str = Field(default="image_reward", min_length=1)
    rollouts: PositiveInt = 10
    every: PositiveInt = 5
    reward_weight: NonNegativeFloat = 1000.0
    kl_weight: NonNegativeFloat = 0.1
    kl: Literal["transitions", "predictions"] = "predictions"
    clip: PositiveFloat = 1e-4
    hidden: PositiveInt = 256

    def modules(self, latent_shape: Sequence[int], condition: Condition) -> Mapping[str, nn.Module]:
        """The value function."""
        return {"value": ValueFunction(latent_shape, condition, self.hidden)}

    def loss(self, policy: Policy, rows: Trajectory, draws: Transitions, whole: Whole) -> Tensor:
        """(E,) losses."""
        return self.losses(policy, rows, draws, whole).values

    def losses(self, policy: Policy, rows: Trajectory, draws: Transitions, whole: Whole) -> Losses:
        """As `Objective.losses`; `watched.of_steps`, ratios to who made the trajectory."""
        state, t, following, later, made_with = self.taken(rows, draws)
        value = policy.modules["value"](policy.path, state, t, rows.captions.condition)
        missing = rows.rewards - value
        tuned = self.guided(policy, state, t, rows.captions)
        reference = self.guided(policy.reference, state, t, rows.captions)
        log_prob = mean_log_density(transition(policy.path, tuned, later), following)
        gain = self.of_densities(missing.detach(), log_prob, made_with)
        kl = self._kl(policy.path, tuned, reference, later)
        values = self.reward_weight * gain + self.kl_weight * kl + missing.square()
        return Losses(values, watched.of_steps(rows.rewards, log_prob - made_with, self.clip))

    def of_densities(self, advantage: Tensor, log_prob: Tensor, made_with: Tensor) -> Tensor:
        """(E,) negative advantages times clipped ratios of densities, all (E,)."""
        ratio = torch.exp(log_prob - made_with)
        return -advantage * ratio.clamp(1 - self.clip, 1 + self.clip)

    def _kl(
        self, path: NoisePath, tuned: Prediction, reference: Prediction, later: Tensor
    ) -> Tensor:
        if self.kl == "predictions":
            elements = (tuned.eps - reference.eps).square()
        else:
            laws = (transition(path, prediction, later) for prediction in (tuned, reference))
            elements = kl_divergence(*laws)
        return elements.flatten(1).mean(1)
