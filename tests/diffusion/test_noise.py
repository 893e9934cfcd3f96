"""Laws of noise paths, and equality with diffusers' own schedule."""

import math

import pytest
import torch
from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler

from mitune.diffusion.noise import DiscretePath, RectifiedFlowPath, add_noise
from mitune.diffusion.quadrature import trapezoid_weights

PATHS = [DiscretePath.scaled_linear(), RectifiedFlowPath()]


@pytest.mark.parametrize("path", PATHS, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("dtype", [torch.int64, torch.float32, torch.float64])
def test_coefficients_agree_with_the_log_snr(path, dtype):
    t = torch.tensor([[1, 10], [500, 990]]).to(dtype)
    alpha, sigma, log_snr = path.alpha(t), path.sigma(t), path.log_snr(t)
    wanted = torch.float64 if dtype == torch.float64 else torch.float32
    assert {alpha.dtype, sigma.dtype, log_snr.dtype} == {wanted}
    assert alpha.shape == t.shape
    torch.testing.assert_close(torch.log(alpha**2 / sigma**2), log_snr, rtol=1e-4, atol=1e-4)
    assert (log_snr.flatten().diff() < 0).all()


@pytest.mark.parametrize("path", PATHS, ids=lambda p: type(p).__name__)
def test_timesteps_at_inverts_the_log_snr(path):
    t = torch.arange(1, 1000, dtype=torch.float64)
    torch.testing.assert_close(path.timesteps_at(path.log_snr(t)).double(), t)


def test_discrete_path_is_the_grid_of_diffusers():
    scheduler = DDPMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    path = DiscretePath.scaled_linear()
    torch.testing.assert_close(path.betas.float(), scheduler.betas, rtol=1e-5, atol=0)
    torch.testing.assert_close(
        path.alphas_cumprod.float(), scheduler.alphas_cumprod, rtol=1e-5, atol=0
    )
    again = DiscretePath.from_betas(path.betas)
    torch.testing.assert_close(again.alphas_cumprod, path.alphas_cumprod, rtol=1e-12, atol=0)

    z0, noise = torch.randn(2, 3, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([0, 500, 999])
    torch.testing.assert_close(
        add_noise(path, z0, noise, t), scheduler.add_noise(z0, noise, t), rtol=1e-5, atol=1e-5
    )


def test_flow_path_is_the_forward_process_of_diffusers():
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    z0, noise = torch.randn(2, 3, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    t = scheduler.timesteps[[0, 400, 900]]
    torch.testing.assert_close(
        add_noise(RectifiedFlowPath(), z0, noise, t), scheduler.scale_noise(z0, t, noise)
    )


def test_discrete_path_reads_between_timesteps_and_ends_at_zero_snr():
    path = DiscretePath.scaled_linear()
    t = torch.tensor([10.0, 10.5, 11.0], dtype=torch.float64)
    low, middle, high = path.log_snr(t)
    assert middle == pytest.approx((low + high) / 2)
    zero = DiscretePath(torch.tensor([0.9, 0.5, 0.0]))
    assert zero.alpha(torch.tensor([2])).item() == 0
    assert zero.sigma(torch.tensor([2])).item() == 1
    assert zero.log_snr(torch.tensor([1, 2])).tolist() == [0.0, -math.inf]


def test_nearest_timestep_is_nearest_in_log_snr():
    path = DiscretePath.scaled_linear()
    wanted = torch.linspace(-7, 9, 301, dtype=torch.float64)
    grid = path.log_snr(torch.arange(1000).double())
    brute = (wanted[:, None] - grid[None]).abs().argmin(1)
    assert torch.equal(path.timesteps_at(wanted), brute)


def test_information_weights_are_the_trapezoid_rule():
    path = DiscretePath.scaled_linear()
    times = torch.arange(991, 0, -10)
    log_snr = path.log_snr(times.double())
    values = torch.sin(log_snr)
    expected = torch.trapezoid(values, log_snr) / 2
    torch.testing.assert_close((path.information_weights(times) * values).sum(), expected)


def test_pure_noise_has_no_weight_and_no_neighbour():
    times = torch.tensor([1000.0, 900.0, 500.0, 100.0, 0.0])
    weights = RectifiedFlowPath().information_weights(times)
    inner = RectifiedFlowPath().information_weights(times[1:-1])
    assert torch.equal(weights, torch.cat([torch.zeros(1), inner, torch.zeros(1)]).double())


def test_errors():
    with pytest.raises(ValueError, match="decrease"):
        DiscretePath(torch.tensor([0.5, 0.9]))
    with pytest.raises(ValueError, match="two finite"):
        trapezoid_weights(torch.tensor([-math.inf, 1.0]))
