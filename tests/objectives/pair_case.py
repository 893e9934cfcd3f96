"""Pairs, draws and a policy, and their residuals written out."""

from __future__ import annotations

import torch
from torch import Tensor

from mitune.objectives import Draws, Objective, Whole
from mitune.objectives.rows import FeaturedPair
from mitune.training.timesteps import Uniform
from tests.objectives.gaussian_policy import denoiser, policy_of, rows_of


class PairCase:
    """`trained` is at the reference with `seed` 2."""

    def __init__(self, objective: Objective, examples: int = 3, seed: int = 1) -> None:
        self.objective = objective
        rows = rows_of(FeaturedPair, examples)
        ones = {"weights": torch.ones(examples, dtype=torch.float64)}
        self.rows = FeaturedPair(**(vars(rows) | ones))
        self.trained, self.before = denoiser(seed), denoiser(2)
        self.policy = policy_of(self.trained, self.before)
        generator = torch.Generator().manual_seed(0)
        self.draws: Draws = objective.draw(self.rows, Uniform(low=100, high=900), generator)
        self.nothing = Whole(torch.empty(examples, 0), torch.empty(examples, 0))

    def losses(self) -> Tensor:
        return self.objective.loss(self.policy, self.rows, self.draws, self.nothing)

    def residuals(self) -> tuple[Tensor, Tensor]:
        """(2, E, N) eps_theta - eps and eps_ref - eps of winners and losers."""
        path, t = self.policy.path, self.draws.t
        alpha, sigma = path.alpha(t.double())[:, None], path.sigma(t.double())[:, None]
        found = []
        for model in (self.trained, self.before):
            of_both = []
            for latents in (self.rows.winner, self.rows.loser):
                z_t = alpha * latents + sigma * self.draws.noise
                eps = model.predict(z_t, t, self.rows.captions.condition).eps
                of_both.append(eps - self.draws.noise)
            found.append(torch.stack(of_both))
        return found[0], found[1].detach()

    def gradient(self, losses: Tensor) -> Tensor:
        """Of their mean, by the trained weights."""
        return torch.autograd.grad(losses.mean(), self.trained.shift.weight)[0]

    def check(self, written_out: Tensor) -> None:
        """Losses and their gradients are those of a formula."""
        losses = self.losses()
        torch.testing.assert_close(losses, written_out, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(
            self.gradient(losses), self.gradient(written_out), rtol=1e-9, atol=1e-12
        )
