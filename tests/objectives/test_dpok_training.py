"""DPOK on its own trajectories: a Gaussian model, a flow, and an adapter of the miniature."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from mitune.backbones import AdapterRef, ModelRef, open_backbone
from mitune.backbones.base import Backbone
from mitune.backbones.gaussian import isotropic
from mitune.diffusion.denoiser import Condition
from mitune.diffusion.noise import NoisePath, RectifiedFlowPath
from mitune.diffusion.prediction import Prediction
from mitune.errors import UserError
from mitune.objectives.dpok import DPOK
from mitune.objectives.rows import Captions
from mitune.training.adapters import AdapterSettings
from mitune.training.checkpoint import Checkpoint
from mitune.training.finetuning import Finetuning, finetune
from mitune.training.gradients import StepGradients
from mitune.training.loop import train
from mitune.training.optimisation import Optimisation
from mitune.training.rollouts import RolledExamples, RolloutSource
from mitune.training.timesteps import Uniform
from tests.objectives.gaussian_policy import (
    PROMPTS,
    SIZE,
    ShiftedGaussian,
    denoiser,
    encode,
    policy_of,
)

CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class ShiftedFlow:
    """The exact velocity of a Gaussian plus a linear map of z_t."""

    shift: nn.Linear

    @property
    def path(self) -> NoisePath:
        return RectifiedFlowPath()

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        exact = isotropic(SIZE, 0.5, self.path, "flow").predict(z_t, t, condition)
        return replace(exact, raw=exact.raw + self.shift(z_t.double()))


class Learning:
    """A policy that is to paint near 0, from its own samples."""

    def __init__(
        self,
        objective: DPOK,
        reward: Callable[..., Tensor] | None = None,
        model: ShiftedGaussian | ShiftedFlow | None = None,
    ) -> None:
        self.denoiser = model or denoiser(1, scale=0.0)
        before = copy.deepcopy(self.denoiser)
        torch.manual_seed(0)
        self.modules = nn.ModuleDict(objective.modules((SIZE,), encode(PROMPTS[:1])))
        policy = policy_of(self.denoiser, before, self.modules)
        captions = Captions(encode([*PROMPTS, ""]), torch.arange(len(PROMPTS)))
        self.rewards: list[float] = []
        source = RolloutSource(PROMPTS, captions, (SIZE,), reward or self._reward)
        self.task = RolledExamples(objective, policy, source, Uniform(), 64, 64, 5, CPU)

    def _reward(self, latents: Tensor, prompts: Sequence[str]) -> Tensor:
        values = -latents.square().mean(1)
        self.rewards.append(values.mean().item())
        return values

    def train(self, steps: int) -> None:
        settings = Optimisation(steps=steps, batch_size=64, learning_rate=1e-2, weight_decay=0)
        modules = {"network": self.denoiser.shift, **self.modules}
        list(train(modules, self.task, settings, Accelerator(cpu=True)))


ON_A_GAUSSIAN = DPOK(
    rollouts=64, every=1, steps=4, guidance_scale=1.0, reward_weight=10, kl_weight=0.01, clip=0.1
)


def test_the_reward_rises() -> None:
    learning = Learning(ON_A_GAUSSIAN)
    learning.train(40)
    first, last = np.mean(learning.rewards[:4]), np.mean(learning.rewards[-4:])
    assert last > first + 0.1


def test_a_trajectory_has_the_densities_it_was_drawn_with() -> None:
    """rho = 1 at the first step, to float32; and nothing but the last state is rewarded."""
    learning = Learning(ON_A_GAUSSIAN)
    learning.task.prepare(0, Accelerator(cpu=True))
    state = learning.task.state()
    assert state["states"].shape == (64, 5, SIZE) and state["log_probs"].isfinite().all()
    assert state["log_probs"][:, -1].tolist() == [0] * 64
    torch.testing.assert_close(state["rewards"], -state["states"][:, -1].square().mean(1))
    again = Learning(DPOK(**{**ON_A_GAUSSIAN.model_dump(), "reward_weight": 1, "kl_weight": 0}))
    again.task.restore(state)
    again.task.prepare(0, Accelerator(cpu=True))
    losses = again.task.losses(torch.arange(64), torch.empty(64, 0)).values
    rows, value = again.task._rows, again.modules["value"]
    each, index = torch.arange(64), again.task._draws.index
    assert set(index.tolist()) == {0, 1, 2}
    missing = rows.rewards - value(
        learning.denoiser.path,
        rows.states[each, index],
        rows.times[each, index],
        rows.captions.condition,
    )
    torch.testing.assert_close(losses, (missing**2 - missing).double(), rtol=1e-4, atol=1e-4)


def test_a_flow_model_is_rolled_out_from_pure_noise() -> None:
    """At its first timestep alpha is 0; all densities and gradients are finite."""
    learning = Learning(ON_A_GAUSSIAN, model=ShiftedFlow(denoiser(1, scale=0.0).shift))
    learning.train(2)
    state = learning.task.state()
    assert state["times"][0].tolist() == [1000, 750, 500, 250]
    assert state["log_probs"].isfinite().all()
    assert learning.denoiser.shift.weight.abs().sum() > 0


def test_a_step_in_parts_is_the_step() -> None:
    gradients = []
    for at_once in (64, 10):
        learning = Learning(ON_A_GAUSSIAN)
        weights = [*learning.denoiser.shift.parameters(), *learning.modules.parameters()]
        StepGradients(learning.task, weights, 64, at_once, Accelerator(cpu=True))(0)
        gradients.append(torch.cat([w.grad.flatten() for w in weights]))
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


def test_a_reward_that_is_not_finite_stops_before_the_first_step() -> None:
    learning = Learning(ON_A_GAUSSIAN, lambda latents, _: latents.mean(1) / 0)
    before = learning.denoiser.shift.weight.clone()
    with pytest.raises(UserError, match=r"the reward of a picture of '.*' is -?inf") as caught:
        learning.train(1)
    assert "\n" not in str(caught.value)
    assert torch.equal(learning.denoiser.shift.weight, before)


ON_THE_MINIATURE = Finetuning(
    objective=DPOK(rollouts=2, every=2, steps=3, guidance_scale=2.0, hidden=16),
    adapter=AdapterSettings(kind="lora", rank=4, alpha=4),
    optimisation=Optimisation(steps=3, batch_size=2, learning_rate=1e-3),
)


def _finetune(backbone: Backbone, checkpoint: Checkpoint | None = None, steps: int = 3):  # type: ignore[no-untyped-def]
    """Redder is better."""
    prompts = pd.DataFrame({"prompt": ["a red circle", "a blue square"]})

    def reward(pictures: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        return pictures[..., 0].reshape(len(texts), -1).mean(1) / 255

    run = finetune(
        backbone,
        prompts,
        ON_THE_MINIATURE,
        AdapterRef(None),
        Accelerator(cpu=True),
        checkpoint,
        reward,
    )
    return [step for _, step in zip(range(steps), run, strict=False)]


def test_an_interrupted_run_on_the_miniature_ends_in_the_same_bits(
    model: ModelRef, tmp_path: Path
) -> None:
    """Interrupted while it trains on trajectories that it would not make again."""

    def weights(backbone: Backbone) -> dict[str, Tensor]:
        parameters = backbone.network.named_parameters()
        return {name: p.detach().clone() for name, p in parameters if p.requires_grad}

    whole, first, resumed = (open_backbone(model, CPU) for _ in range(3))
    log = _finetune(whole)
    checkpoint = Checkpoint(tmp_path / "state.pt", "key", every=0.0)
    _finetune(first, checkpoint, steps=1)
    assert _finetune(resumed, checkpoint) == log
    expected = weights(whole)
    assert expected and all(torch.equal(w, expected[n]) for n, w in weights(resumed).items())
    assert any(w.abs().sum() > 0 for n, w in expected.items() if "lora_B" in n)


def test_without_a_reward_it_says_so(backbone: Backbone) -> None:
    prompts = pd.DataFrame({"prompt": ["a red circle"]})
    steps = finetune(backbone, prompts, ON_THE_MINIATURE, AdapterRef(None), Accelerator(cpu=True))
    with pytest.raises(UserError, match="it trains on a reward; name a metric"):
        next(steps)
