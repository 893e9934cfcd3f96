import math

import pytest
import torch
from scipy.integrate import quad

from mitune.backbones.gaussian import isotropic
from mitune.diffusion.noise import RectifiedFlowPath
from mitune.estimators import ForwardScore, information
from mitune.estimators.noise_levels import FlowLevels, UniformLevels

LEVELS = [UniformLevels(), FlowLevels(), FlowLevels(t_epsilon=0.5)]
MIDDLES = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000


@pytest.mark.parametrize("t_epsilon", [0.2, 0.5, 0.95, 0.999])
def test_the_published_distribution_and_its_inverse(t_epsilon: float) -> None:
    levels = FlowLevels(t_epsilon=t_epsilon)

    def density(t: float) -> float:
        return float(levels.density(torch.tensor(t, dtype=torch.float64)))

    for t in (0.01, t_epsilon / 2, t_epsilon, (1 + t_epsilon) / 2, 1.0):
        kink = [t_epsilon] if t > t_epsilon else None
        below, _ = quad(density, 0, t, points=kink, limit=200)
        assert levels.distribution(t) == pytest.approx(below, abs=1e-8)
        u = torch.tensor([levels.distribution(t)], dtype=torch.float64)
        assert float(levels.inverse(u)) == pytest.approx(t, abs=1e-6)


def test_it_is_safe_at_both_ends() -> None:
    t = FlowLevels().inverse(torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert t.isfinite().all() and 0 < float(t[0]) < 1e-4 and float(t[1]) < 1


@pytest.mark.parametrize("levels", LEVELS, ids=str)
@pytest.mark.parametrize("window", [(-6.0, 4.0), (-2.0, 1.0)])
def test_the_weighted_mean_is_the_integral(levels, window) -> None:
    """1/2 int g dlambda for a bump g, whatever the density; and the window is kept."""
    log_snr, weight = levels.at(MIDDLES, *window)
    assert window[0] <= float(log_snr.min()) and float(log_snr.max()) <= window[1]
    assert bool((log_snr.diff() > 0).all())
    exact, _ = quad(lambda x: math.exp(-((x - 0.3) ** 2)) / 2, *window)
    found = (weight * torch.exp(-((log_snr - 0.3) ** 2))).mean()
    assert float(found) == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("levels", LEVELS, ids=str)
@pytest.mark.parametrize("form", ["squared", "inner"])
def test_rfmi_by_draws_averages_to_the_information(levels, form: str) -> None:
    """Over prompts and images both forms give I(X; Y), here 16 x 0.347 nats."""
    backbone = isotropic(16, 1.0, RectifiedFlowPath(), kind="flow")
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(600, 16, generator=generator)
    x = backbone.sample(y, generator)
    score = ForwardScore(draws=64, log_snr=(-14.0, 14.0), form=form, levels=levels)
    (found,) = information(backbone, x, backbone.condition(y), backbone.null(), [score], generator)
    error = float(found.score.std() / math.sqrt(len(y)))
    assert float(found.score.mean()) == pytest.approx(16 * 0.34657, abs=0.15 + 3 * error)
