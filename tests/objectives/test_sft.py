"""Laws of the pre-training loss, and of GORS, on the exact model of a Gaussian."""

import pytest
import torch

from mitune.backbones.gaussian import isotropic
from mitune.diffusion.noise import DiscretePath, NoisePath, RectifiedFlowPath
from mitune.objectives import SFT, Draws, Whole
from mitune.objectives.errors import errors
from mitune.objectives.rows import Captions, Single
from mitune.training.policy import AdapterPolicy
from mitune.training.timesteps import Uniform
from tests.objectives.gaussian_policy import denoiser, policy_of, rows_of
from tests.objectives.golden import NEEDS_GOLDEN, cases

PATHS = {"ddpm": DiscretePath.scaled_linear(), "flow": RectifiedFlowPath()}
T = torch.tensor([100, 500, 900])


def _losses(path: NoisePath, target: str, weights: torch.Tensor | None = None) -> torch.Tensor:
    backbone = isotropic(4, 0.5, path, "flow" if isinstance(path, RectifiedFlowPath) else "epsilon")
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    rows = Single(
        backbone.sample(y, generator),
        Captions(backbone.condition(y), torch.arange(3)),
        torch.ones(3, dtype=torch.float64) if weights is None else weights,
    )
    noise = torch.randn(rows.latents.shape, generator=generator, dtype=torch.float64)
    nothing = Whole(torch.empty(3, 0), torch.empty(3, 0))
    policy = AdapterPolicy(backbone, backbone)
    return SFT(target=target).loss(policy, rows, Draws(T, noise), nothing)


@pytest.mark.parametrize("name", PATHS)
def test_targets_differ_by_powers_of_the_coefficients(name: str) -> None:
    """One error, seen as noise, as image and as flow: e_x0 = (sigma / alpha) e_eps."""
    path = PATHS[name]
    alpha, sigma = path.alpha(T.double()), path.sigma(T.double())
    epsilon = _losses(path, "epsilon")
    torch.testing.assert_close(_losses(path, "sample"), (sigma / alpha) ** 2 * epsilon)
    torch.testing.assert_close(_losses(path, "flow"), ((alpha + sigma) / alpha) ** 2 * epsilon)


def test_on_a_flow_the_released_loss_of_rfmi_is_sigma_squared_times_that_of_rectified_flow() -> (
    None
):
    path = PATHS["flow"]
    sigma = path.sigma(T.double())
    torch.testing.assert_close(_losses(path, "sample"), sigma**2 * _losses(path, "flow"))


def test_weights_multiply_rows() -> None:
    path = PATHS["ddpm"]
    weights = torch.tensor([2.0, 0.0, 0.5], dtype=torch.float64)
    found = _losses(path, "epsilon", weights)
    torch.testing.assert_close(found, weights * _losses(path, "epsilon"))


def _gors(rewards: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses of three rows with reward weights, and the gradient of their mean."""
    rows = rows_of(Single, 3)
    rows = Single(rows.latents, rows.captions, rewards)
    policy = policy_of(trained := denoiser(1), denoiser(1))
    draws = SFT().draw(rows, Uniform(low=100, high=900), torch.Generator().manual_seed(0))
    nothing = Whole(torch.empty(3, 0), torch.empty(3, 0))
    losses = SFT().loss(policy, rows, draws, nothing)
    return losses, torch.autograd.grad(losses.mean(), trained.shift.weight)[0]


def test_gors_is_a_mean_over_the_batch_of_rewards_times_errors() -> None:
    """methods.md 14: no normalisation of the rewards, so a scale of theirs is one of the rate."""
    rewards = torch.tensor([0.9, 0.2, 0.5], dtype=torch.float64)
    plain, _ = _gors(torch.ones(3, dtype=torch.float64))
    losses, gradient = _gors(rewards)
    torch.testing.assert_close(losses, rewards * plain)
    assert losses.mean().item() == pytest.approx((rewards @ plain).item() / 3)
    _, scaled = _gors(7 * rewards)
    torch.testing.assert_close(scaled, 7 * gradient)


def test_gors_where_every_reward_is_1_is_sft_in_the_same_bits() -> None:
    losses, _ = _gors(torch.ones(3, dtype=torch.float64))
    rows = rows_of(Single, 3)
    draws = SFT().draw(rows, Uniform(low=100, high=900), torch.Generator().manual_seed(0))
    plain = errors(denoiser(1), rows.latents, rows.captions.condition, draws)
    assert torch.equal(losses, plain)


@NEEDS_GOLDEN
def test_gors_has_the_numbers_computed_independently() -> None:
    for case in cases("gors"):
        rows = Single(case.latents, case.captions(), case.given["weight"])
        model = case.model("theta")
        nothing = Whole(torch.empty(4, 0), torch.empty(4, 0))
        case.check(SFT().loss(AdapterPolicy(model, model), rows, case.draws, nothing))
