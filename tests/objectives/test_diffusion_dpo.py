"""Diffusion-DPO against closed forms, independently computed numbers and a real adapter."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import Accelerator

from mitune.backbones import AdapterRef
from mitune.backbones.base import Backbone
from mitune.objectives import Draws, Whole
from mitune.objectives.diffusion_dpo import DiffusionDPO
from mitune.objectives.errors import errors
from mitune.objectives.rows import Pair
from mitune.training.adapters import AdapterSettings
from mitune.training.finetuning import Finetuning, finetune
from mitune.training.optimisation import Optimisation
from mitune.training.timesteps import Uniform
from tests.objectives.gaussian_policy import SIZE, denoiser, policy_of, rows_of
from tests.objectives.golden import NEEDS_GOLDEN, cases

EXAMPLES = 3
NOTHING = Whole(torch.empty(EXAMPLES, 0), torch.empty(EXAMPLES, 0))


def _draws(rows: Pair, objective: DiffusionDPO) -> Draws:
    return objective.draw(rows, Uniform(low=100, high=900), torch.Generator().manual_seed(0))


def _rows() -> Pair:
    rows = rows_of(Pair, EXAMPLES)
    return Pair(rows.winner, rows.loser, rows.captions, torch.ones(EXAMPLES))


@pytest.mark.parametrize("beta", [0.1, 2000.0, 1e5])
def test_at_the_reference_it_is_log_2_and_its_gradient_is_that_of_the_errors(beta: float) -> None:
    """methods.md 8.2 and 23.8: +-beta / (2 B N) (eps_theta - eps), by autograd of the errors."""
    objective, rows = DiffusionDPO(beta=beta), _rows()
    policy = policy_of(trained := denoiser(1), denoiser(1))
    draws = _draws(rows, objective)
    losses = objective.loss(policy, rows, draws, NOTHING)
    torch.testing.assert_close(losses, torch.full_like(losses, math.log(2)))
    (found,) = torch.autograd.grad(losses.mean(), trained.shift.weight)
    condition = rows.captions.condition
    signed = [
        errors(policy, latents, condition, draws).mean() for latents in (rows.winner, rows.loser)
    ]
    # d e / d eps_theta = 2 (eps_theta - eps) / N, so beta / 4 of the errors' own gradient.
    (expected,) = torch.autograd.grad(beta / 4 * (signed[0] - signed[1]), trained.shift.weight)
    torch.testing.assert_close(found, expected)


def test_swapping_winner_and_loser_flips_the_margin() -> None:
    objective, rows = DiffusionDPO(beta=3.0), _rows()
    policy, draws = policy_of(denoiser(1), denoiser(2)), _draws(_rows(), objective)
    swapped = Pair(rows.loser, rows.winner, rows.captions, rows.weights)
    one = objective.loss(policy, rows, draws, NOTHING)
    other = objective.loss(policy, swapped, draws, NOTHING)
    # sigma(z) + sigma(-z) = 1
    torch.testing.assert_close(torch.exp(-one) + torch.exp(-other), torch.ones_like(one))
    assert (one - other).abs().min() > 1e-4


def test_weights_multiply_examples() -> None:
    objective, rows = DiffusionDPO(beta=3.0), _rows()
    policy, draws = policy_of(denoiser(1), denoiser(2)), _draws(rows, objective)
    weights = torch.tensor([2.0, 0.0, 0.5])
    weighted = Pair(rows.winner, rows.loser, rows.captions, weights)
    torch.testing.assert_close(
        objective.loss(policy, weighted, draws, NOTHING),
        weights * objective.loss(policy, rows, draws, NOTHING),
    )


def test_both_pictures_of_a_pair_share_timestep_and_noise() -> None:
    """Written out: one t and one eps in all four errors."""
    objective, rows = DiffusionDPO(beta=3.0), _rows()
    policy, draws = policy_of(denoiser(1), denoiser(2)), _draws(rows, objective)
    path = policy.path
    alpha, sigma = (c(draws.t.double())[:, None] for c in (path.alpha, path.sigma))

    def error(model, latents: torch.Tensor) -> torch.Tensor:  # type: ignore[no-untyped-def]
        z_t = alpha * latents + sigma * draws.noise
        eps = model.predict(z_t, draws.t, rows.captions.condition).eps
        return ((eps - draws.noise) ** 2).sum(1) / SIZE

    gap_w, gap_l = (
        error(policy, x) - error(policy.reference, x) for x in (rows.winner, rows.loser)
    )
    expected = torch.log1p(torch.exp(1.5 * (gap_w - gap_l)))
    torch.testing.assert_close(
        objective.loss(policy, rows, draws, NOTHING), expected, rtol=1e-6, atol=1e-6
    )


@NEEDS_GOLDEN
def test_the_numbers_are_those_computed_independently() -> None:
    for case in cases("dpo"):
        case.check(DiffusionDPO(**case.hyper).of_errors(*case.errors()))


def test_an_adapter_learns_to_prefer(backbone: Backbone) -> None:
    """On the miniature: the loss starts near log 2 and falls on pairs it can tell apart."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        [
            {
                "example": number,
                "role": role,
                "prompt": "a red circle",
                "latent": (spread * generator.normal(size=512)).astype(np.float16).tobytes(),
            }
            for number in range(4)
            for role, spread in (("winner", 0.5), ("loser", 2.0))
        ]
    )
    table.attrs = {"latent_shape": [8, 8, 8]}
    settings = Finetuning(
        objective=DiffusionDPO(beta=100.0),
        adapter=AdapterSettings(kind="lora", rank=4, alpha=4),
        optimisation=Optimisation(steps=8, batch_size=4, learning_rate=3e-3),
    )
    steps = finetune(backbone, table, settings, AdapterRef(None), Accelerator(cpu=True))
    losses = [step.loss for step in steps]
    assert losses[0] == pytest.approx(math.log(2), abs=1e-6)
    assert np.mean(losses[-3:]) < 0.8 * math.log(2)
