"""Laws of a sampler's steps: diffusers' own where it has them, exact posteriors elsewhere."""

import math
from itertools import pairwise

import diffusers
import pytest
import torch
from torch import Tensor

from mitune.diffusion.noise import DiscretePath, NoisePath, RectifiedFlowPath, coefficients
from mitune.diffusion.prediction import Prediction
from mitune.diffusion.transitions import mean_log_density, transition

DDPM, FLOW = DiscretePath.scaled_linear(), RectifiedFlowPath()


def _prediction(path: NoisePath, t: Tensor) -> Prediction:
    generator = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, len(t), 2, 3, generator=generator, dtype=torch.float64)
    alpha, sigma = coefficients(path, t, x0)
    return Prediction.from_pair(eps, x0, alpha * x0 + sigma * eps, alpha, sigma, "flow")


def _scheduler() -> diffusers.DDIMScheduler:
    return diffusers.DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        timestep_spacing="trailing",
    )


@pytest.mark.parametrize("steps", [3, 20, 50, 1000])
def test_times_are_the_trailing_ones_of_diffusers(steps: int) -> None:
    scheduler = _scheduler()
    scheduler.set_timesteps(steps)
    assert torch.equal(DDPM.sampling_times(steps), scheduler.timesteps)
    assert FLOW.sampling_times(4).tolist() == [1000, 750, 500, 250]


def test_more_steps_than_a_grid_has_are_refused() -> None:
    with pytest.raises(ValueError, match="steps: 1001 is more than the 1000"):
        DDPM.sampling_times(1001)


def test_a_draw_is_ddim_at_eta_1() -> None:
    scheduler, times = _scheduler(), DDPM.sampling_times(50)
    scheduler.set_timesteps(50)
    for t, later in pairwise(times):
        predicted = _prediction(DDPM, t[None])
        noise = torch.randn(1, 2, 3, generator=torch.Generator().manual_seed(1)).double()
        expected = scheduler.step(
            predicted.eps, t, predicted.z_t, eta=1.0, variance_noise=noise
        ).prev_sample
        law = transition(DDPM, predicted, later[None])
        # diffusers' table of alphas is float32.
        torch.testing.assert_close(law.mean + law.stddev * noise, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("path", [DDPM, FLOW], ids=["ddpm", "flow"])
def test_what_it_leads_to_has_the_level_of_where_it_leads(path: NoisePath) -> None:
    """x0 known, eps standard normal: the state's mean is alpha x0, its variance sigma^2."""
    t, later = torch.tensor([999.0, 600.0, 20.0]), torch.tensor([700.0, 580.0, 1.0])
    x0, eps = torch.ones(2, 3, 1, dtype=torch.float64)
    alpha, sigma = coefficients(path, t, x0)

    def law(noise: Tensor):  # type: ignore[no-untyped-def]
        z_t = alpha * x0 + sigma * noise
        predicted = Prediction.from_pair(noise, x0, z_t, alpha, sigma, "flow")
        return transition(path, predicted, later)

    still = law(0 * eps)
    from_noise = law(eps).mean - still.mean
    wanted_alpha, wanted_sigma = coefficients(path, later, x0)
    torch.testing.assert_close(still.mean, wanted_alpha * x0)
    torch.testing.assert_close(from_noise**2 + still.variance, wanted_sigma**2)


def test_a_flow_begins_at_pure_noise_and_its_last_step_has_none() -> None:
    predicted = _prediction(FLOW, torch.tensor([1000.0, 250.0]))
    law = transition(FLOW, predicted, torch.tensor([750.0, 0.0]))
    torch.testing.assert_close(law.mean[0], 0.25 * predicted.x0[0])
    assert law.stddev[0].unique().tolist() == [0.75]
    torch.testing.assert_close(law.mean[1], predicted.x0[1])
    assert law.stddev[1].abs().max() == 0


def test_the_density_is_a_gaussian_s_per_element() -> None:
    law = transition(DDPM, _prediction(DDPM, torch.tensor([500, 40])), torch.tensor([480, 20]))
    state = law.mean + 0.3
    expected = [
        sum(-((0.3 / s) ** 2) / 2 - math.log(s) - math.log(2 * math.pi) / 2 for s in row) / 6
        for row in law.stddev.flatten(1).tolist()
    ]
    assert mean_log_density(law, state).tolist() == pytest.approx(expected)
