"""Laws of the pre-training loss on the exact model of a Gaussian."""

import pytest
import torch

from mitune.backbones.gaussian import isotropic
from mitune.diffusion.noise import DiscretePath, NoisePath, RectifiedFlowPath
from mitune.objectives import SFT, Draws, Whole
from mitune.objectives.rows import Captions, Single
from mitune.training.policy import AdapterPolicy

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
