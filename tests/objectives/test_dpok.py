"""DPOK, its KL and its value function against closed forms and numbers computed elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from mitune.diffusion.transitions import mean_log_density, transition
from mitune.objectives import Whole
from mitune.objectives.dpok import DPOK
from mitune.objectives.draws import Transitions
from mitune.objectives.rows import Trajectory
from mitune.objectives.value import ValueFunction
from mitune.training.policy import AdapterPolicy
from tests.objectives.gaussian_policy import (
    PROMPTS,
    SIZE,
    denoiser,
    encode,
    policy_of,
    rows_of,
)
from tests.objectives.golden import NEEDS_GOLDEN, cases

EXAMPLES = 4
NOTHING = Whole(torch.empty(EXAMPLES, 0), torch.empty(EXAMPLES, 0))
INDEX = Transitions(torch.tensor([0, 1, 1, 0]))


def _policy(trained: int = 1, before: int = 1) -> AdapterPolicy:
    torch.manual_seed(0)
    modules = nn.ModuleDict(DPOK().modules((SIZE,), encode(PROMPTS[:1])))
    return policy_of(denoiser(trained), denoiser(before), modules)


def _rows(objective: DPOK, policy: AdapterPolicy, off: float = 0.0) -> Trajectory:
    """Trajectories whose log-densities are the policy's own, but for `off`."""
    rows = rows_of(Trajectory, EXAMPLES)
    each = torch.arange(EXAMPLES)
    log_probs = rows.log_probs.double().clone()
    for index in range(2):
        predicted = objective.guided(
            policy, rows.states[:, index], rows.times[:, index], rows.captions
        )
        law = transition(policy.path, predicted, rows.times[:, index + 1])
        log_probs[each, index] = mean_log_density(law, rows.states[:, index + 1]).detach() - off
    return replace(rows, log_probs=log_probs, rewards=torch.tensor([1.0, -0.5, 2.0, 0.0]).double())


def _gradient(losses: Tensor, policy: AdapterPolicy) -> Tensor:
    (found,) = torch.autograd.grad(losses.mean(), policy.denoiser.shift.weight, retain_graph=True)
    return found


@pytest.mark.parametrize("scale", [1.0, 7.5])
def test_where_it_was_drawn_the_gradient_is_that_of_the_log_density(scale: float) -> None:
    """methods.md 15: rho = 1, and the gradient of -A rho is -A times that of log p."""
    objective = DPOK(guidance_scale=scale, reward_weight=3.0, kl_weight=0)
    policy = _policy()
    rows = _rows(objective, policy)
    losses = objective.loss(policy, rows, INDEX, NOTHING)
    each = torch.arange(EXAMPLES)
    state, t = rows.states[each, INDEX.index], rows.times[each, INDEX.index]
    condition = rows.captions.condition
    value = policy.modules["value"](policy.path, state, t, condition).detach()
    advantage = rows.rewards - value
    torch.testing.assert_close(losses, -3 * advantage + advantage**2)

    # Written out: DDIM at eta = 1 from guided noise.
    path, later = policy.path, rows.times[each, INDEX.index + 1]
    alpha, sigma = (c(t.double())[:, None] for c in (path.alpha, path.sigma))
    alpha_next, sigma_next = (c(later.double())[:, None] for c in (path.alpha, path.sigma))
    empty = encode([""] * EXAMPLES)
    eps = scale * policy.predict(state, t, condition).eps
    eps = eps + (1 - scale) * policy.predict(state, t, empty).eps
    variance = (sigma_next / sigma) ** 2 * (1 - (alpha / alpha_next) ** 2)
    mean = alpha_next * (state - sigma * eps) / alpha + (sigma_next**2 - variance).sqrt() * eps
    following = rows.states[each, INDEX.index + 1]
    log_p = (-((following - mean) ** 2) / (2 * variance) - variance.log() / 2).mean(1)
    expected = _gradient(-3 * advantage * log_p, policy)
    torch.testing.assert_close(_gradient(losses, policy), expected, rtol=1e-5, atol=1e-7)
    assert expected.abs().max() > 1e-3


@pytest.mark.parametrize("off", [1e-3, -1e-3])
def test_beyond_the_clip_the_reward_has_no_gradient_on_either_side(off: float) -> None:
    objective = DPOK(reward_weight=1.0, kl_weight=0, clip=1e-4)
    policy = _policy()
    rows = _rows(objective, policy, off)
    losses = objective.loss(policy, rows, INDEX, NOTHING)
    (gradient,) = torch.autograd.grad(losses.mean(), policy.denoiser.shift.weight)
    assert gradient.abs().max() == 0
    wider = DPOK(reward_weight=1.0, kl_weight=0, clip=1e-2)
    assert _gradient(wider.loss(policy, rows, INDEX, NOTHING), policy).abs().max() > 0


@pytest.mark.parametrize("kl", ["transitions", "predictions"])
def test_at_the_reference_the_kl_is_0_without_a_gradient(kl: str) -> None:
    """methods.md 15; so without a reward the policy stays where it is."""
    objective = DPOK(kl=kl, reward_weight=0, kl_weight=5.0)
    policy = _policy(1, 1)
    rows = _rows(objective, policy)
    losses = objective.loss(policy, rows, INDEX, NOTHING)
    assert _gradient(losses, policy).abs().max() == 0
    values = DPOK(kl=kl, reward_weight=0, kl_weight=0).loss(policy, rows, INDEX, NOTHING)
    torch.testing.assert_close(losses, values, rtol=0, atol=0)


def test_the_kl_is_that_of_two_gaussians_and_released_a_squared_difference() -> None:
    """Means over elements; the two differ by a factor of the noise levels."""
    policy = _policy(1, 2)
    none = DPOK(reward_weight=0, kl_weight=0)
    rows = _rows(none, policy)
    base = none.loss(policy, rows, INDEX, NOTHING)
    found = {
        kl: DPOK(kl=kl, reward_weight=0, kl_weight=1).loss(policy, rows, INDEX, NOTHING) - base
        for kl in ("transitions", "predictions")
    }
    each = torch.arange(EXAMPLES)
    state, t = rows.states[each, INDEX.index], rows.times[each, INDEX.index]
    eps = [
        7.5 * d.predict(state, t, rows.captions.condition).eps
        - 6.5 * d.predict(state, t, encode([""] * EXAMPLES)).eps
        for d in (policy, policy.reference)
    ]
    squared = ((eps[0] - eps[1]) ** 2).mean(1)
    torch.testing.assert_close(found["predictions"], squared)
    path, later = policy.path, rows.times[each, INDEX.index + 1].double()
    alpha, sigma = path.alpha(t.double()), path.sigma(t.double())
    alpha_next, sigma_next = path.alpha(later), path.sigma(later)
    variance = (sigma_next / sigma) ** 2 * (1 - (alpha / alpha_next) ** 2)
    slope = (sigma_next**2 - variance).sqrt() - alpha_next * sigma / alpha
    torch.testing.assert_close(
        found["transitions"], slope**2 * squared / (2 * variance), rtol=1e-5, atol=1e-8
    )


def test_by_hand() -> None:
    """exp(0.1) is clipped to 1.05, exp(-0.2) to 0.95; exp(0.01) is not."""
    log_prob = torch.tensor([0.1, -0.2, 0.01], dtype=torch.float64, requires_grad=True)
    advantage = torch.tensor([2.0, 2.0, -3.0], dtype=torch.float64)
    losses = DPOK(clip=0.05).of_densities(advantage, log_prob, torch.zeros(3).double())
    assert losses.tolist() == pytest.approx([-2.1, -1.9, 3 * np.exp(0.01)])
    (gradient,) = torch.autograd.grad(losses.sum(), log_prob)
    assert gradient.tolist() == pytest.approx([0, 0, 3 * np.exp(0.01)])


@NEEDS_GOLDEN
def test_the_numbers_are_those_computed_independently() -> None:
    for case in cases("dpok_policy"):
        losses = DPOK(clip=case.hyper["clip"]).of_densities(
            case.given["adv"], case.given["logp"][0], case.given["logp_old"]
        )
        case.check(losses)


def test_the_value_function_alone_learns_from_its_term() -> None:
    objective = DPOK(reward_weight=0, kl_weight=0)
    policy = _policy()
    rows = _rows(objective, policy)
    losses = objective.loss(policy, rows, INDEX, NOTHING)
    losses.mean().backward()
    assert policy.denoiser.shift.weight.grad.abs().max() == 0
    assert all(p.grad.abs().sum() > 0 for p in policy.modules.parameters())


def test_the_value_function_sees_latent_level_and_prompt() -> None:
    condition, path = encode(PROMPTS[:2]), denoiser(1).path
    torch.manual_seed(0)
    value = ValueFunction((SIZE,), condition, 8)
    state, t = torch.ones(2, SIZE), torch.tensor([500, 500])
    one, other = value(path, state, t, condition).tolist()
    assert one != other  # by the prompt
    assert value(path, 2 * state, t, condition)[0].item() != one
    assert value(path, state, t + 300, condition)[0].item() != one


@pytest.mark.parametrize(
    ("field", "value"), [("steps", 1), ("clip", 0), ("kl_weight", -1), ("reward", "")]
)
def test_settings_out_of_range_name_the_field(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        DPOK(**{field: value})
