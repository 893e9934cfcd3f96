"""REINFORCE with a value function on a Gaussian model: a real online objective, end to end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from accelerate import Accelerator
from pydantic import ValidationError
from torch import Tensor, nn

from mitune.diffusion.denoiser import Condition
from mitune.diffusion.noise import coefficients
from mitune.errors import UserError
from mitune.objectives import Online, Passes, Policy, Whole
from mitune.objectives.draws import Transitions
from mitune.objectives.online import Reward
from mitune.objectives.rows import Captions, Trajectory
from mitune.training.checkpoint import Checkpoint
from mitune.training.loop import train
from mitune.training.optimisation import Optimisation
from mitune.training.rollouts import RolledExamples, RolloutSource
from mitune.training.timesteps import Uniform
from tests.objectives.gaussian_policy import PROMPTS, SIZE, denoiser, encode, policy_of

CPU = torch.device("cpu")
STEPS = 24


class Reinforce(Online):
    """-(r - V) log p of one transition of an ancestral sampler, and (r - V)^2 for V."""

    kind: str = "reinforce"
    reward: str = "nearness"
    grid: tuple[int, ...] = (700, 400, 100)
    deviation: float = 0.5
    together: int = 1

    passes: ClassVar[Passes] = Passes(0, 1)

    @property
    def evaluations(self) -> int:
        return len(self.grid)

    @property
    def group(self) -> int:
        return self.together

    def modules(self, latent_shape: Sequence[int], condition: Condition) -> Mapping[str, nn.Module]:
        return {"value": nn.Linear(latent_shape[0], 1, dtype=torch.float64)}

    def _mean(self, policy: Policy, z_t: Tensor, t: Tensor, captions: Captions) -> Tensor:
        """Of the next state: the predicted picture, noised to the next level on average."""
        found = policy.predict(z_t, t, captions.condition)
        later = torch.tensor([*self.grid[1:], 0])[
            torch.tensor(self.grid).eq(t[:, None]).nonzero()[:, 1]
        ]
        alpha, _ = coefficients(policy.path, later, z_t)
        return alpha * found.x0

    def _log_prob(self, mean: Tensor, state: Tensor) -> Tensor:
        return -((state - mean) / self.deviation).square().sum(1) / 2

    def rollout(
        self,
        policy: Policy,
        captions: Captions,
        latent_shape: Sequence[int],
        generators: Sequence[torch.Generator],
        reward: Reward,
    ) -> Trajectory:
        def noise() -> Tensor:
            rows = [
                torch.randn(*latent_shape, generator=g, dtype=torch.float64) for g in generators
            ]
            return torch.stack(rows)

        states, log_probs = [noise()], []
        times = torch.tensor(self.grid).expand(len(captions), -1)
        for index in range(len(self.grid)):
            mean = self._mean(policy, states[-1], times[:, index], captions)
            states.append(mean + self.deviation * noise())
            log_probs.append(self._log_prob(mean, states[-1]))
        return Trajectory(
            torch.stack(states, 1),
            times,
            torch.stack(log_probs, 1),
            captions,
            reward(states[-1]).to(torch.float64),
        )

    def loss(self, policy: Policy, rows: Trajectory, draws: Transitions, whole: Whole) -> Tensor:
        each, index = torch.arange(len(rows)), draws.index
        state, following = rows.states[each, index], rows.states[each, index + 1]
        mean = self._mean(policy, state, rows.times[each, index], rows.captions)
        advantage = rows.rewards - policy.modules["value"](state)[:, 0]
        return advantage.square() - advantage.detach() * self._log_prob(mean, following)


class Training:
    """A policy that is to learn to paint near 0, from its own samples."""

    def __init__(self, objective: Reinforce, at_once: int = 64, reward=None) -> None:  # type: ignore[no-untyped-def]
        self.denoiser = denoiser(1, scale=0.0)
        torch.manual_seed(0)
        modules = nn.ModuleDict(objective.modules((SIZE,), encode(PROMPTS[:1])))
        self.policy = policy_of(self.denoiser, denoiser(1, scale=0.0), modules)
        self.seen: list[tuple[str, ...]] = []
        self.rewards: list[float] = []
        captions = Captions(encode([*PROMPTS, ""]), torch.arange(len(PROMPTS)))
        source = RolloutSource(PROMPTS, captions, (SIZE,), reward or self.reward)
        self.task = RolledExamples(objective, self.policy, source, Uniform(), 32, at_once, 5, CPU)

    def reward(self, latents: Tensor, prompts: Sequence[str]) -> Tensor:
        self.seen.append(tuple(prompts))
        found = -latents.square().mean(1)
        self.rewards.append(found.mean().item())
        return found

    def steps(self, checkpoint: Checkpoint | None = None):  # type: ignore[no-untyped-def]
        settings = Optimisation(steps=STEPS, batch_size=32, learning_rate=2e-2, weight_decay=0)
        modules = {"network": self.denoiser.shift, **self.policy.modules}
        return train(modules, self.task, settings, Accelerator(cpu=True), checkpoint)

    @property
    def weights(self) -> Tensor:
        parameters = [*self.denoiser.shift.parameters(), *self.policy.modules.parameters()]
        return torch.cat([p.detach().flatten() for p in parameters])


def test_the_reward_rises_and_the_value_function_learns() -> None:
    training = Training(Reinforce(rollouts=128, every=2))
    before = training.weights
    list(training.steps())
    assert len(training.rewards) == STEPS  # 128 at 64 at once, every 2 steps
    first, last = sum(training.rewards[:4]) / 4, sum(training.rewards[-4:]) / 4
    assert last > first + 0.1
    assert (training.weights - before).abs().min() > 0


def test_an_interrupted_run_ends_in_the_same_bits(tmp_path: Path) -> None:
    """Interrupted while it still trains on trajectories that it would not make again."""
    objective = Reinforce(rollouts=32, every=5)
    whole = Training(objective)
    log = list(whole.steps())
    checkpoint = Checkpoint(tmp_path / "state.pt", "key", every=0.0)
    first = Training(objective)
    steps = first.steps(checkpoint)
    for _ in range(8):
        next(steps)
    del steps
    resumed = Training(objective)
    assert list(resumed.steps(checkpoint)) == log
    assert torch.equal(resumed.weights, whole.weights)
    assert len(first.rewards) == 2 and len(resumed.rewards) == 3  # made at 0, 5 | 10, 15, 20


def test_trajectories_do_not_depend_on_how_many_are_made_at_once() -> None:
    few, all_ = (Training(Reinforce(rollouts=32), at_once=size) for size in (5, 64))
    for training in (few, all_):
        training.task.prepare(0, Accelerator(cpu=True))
    states = [training.task.state()["states"] for training in (few, all_)]
    torch.testing.assert_close(*states, rtol=1e-12, atol=1e-12)
    assert len(few.rewards) == 7


def test_less_is_made_at_once_when_memory_runs_out() -> None:
    sizes = []

    def reward(latents: Tensor, prompts: Sequence[str]) -> Tensor:
        sizes.append(len(latents))
        if len(latents) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return latents.mean(1)

    training = Training(Reinforce(rollouts=32), reward=reward)
    training.task.prepare(0, Accelerator(cpu=True))
    assert sizes == [32, 16, 8, 8, 8, 8]
    assert training.task.state()["states"].shape == (32, 4, SIZE)


def test_trajectories_of_a_group_have_one_prompt() -> None:
    training = Training(Reinforce(rollouts=32, together=4))
    training.task.prepare(0, Accelerator(cpu=True))
    (prompts,) = training.seen
    assert all(len(set(prompts[i : i + 4])) == 1 for i in range(0, 32, 4))
    assert set(prompts) == set(PROMPTS)


def test_rollouts_are_whole_groups() -> None:
    with pytest.raises(ValidationError, match="rollouts: 30 is no multiple of 4"):
        Reinforce(rollouts=30, together=4)


def test_a_reward_that_is_not_finite_names_the_prompt() -> None:
    training = Training(Reinforce(rollouts=32), reward=lambda z, _: z.mean(1) * float("nan"))
    with pytest.raises(UserError, match=r"the reward of a picture of '.*star.*' is nan"):
        training.task.prepare(0, Accelerator(cpu=True))
