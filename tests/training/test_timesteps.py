import pytest
import torch
from pydantic import ValidationError
from scipy.stats import kstest, norm

from mitune.training.timesteps import LogitNormal, Uniform

N = 20_000


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_uniform_timesteps_are_whole_and_within_their_range() -> None:
    found = Uniform(low=500, high=1000).draw(N, _generator())
    assert found.dtype == torch.int64
    assert found.min() == 500 and found.max() == 999
    assert abs(found.float().mean() - 749.5) < 3 * 144.3 / N**0.5


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_logit_normal_timesteps_have_the_shifted_distribution(shift: float) -> None:
    """P(t <= x): undo the shift, then the logit is normal (Esser et al. 2024, eq. 19 and 23)."""
    found = LogitNormal(mean=0.3, std=0.8, shift=shift).draw(N, _generator()) / 1000
    unshifted = found / (shift - (shift - 1) * found)
    assert kstest(torch.logit(unshifted).numpy(), norm(0.3, 0.8).cdf).pvalue > 0.01


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(ValidationError, match="low must be below high, got 900 and 900"):
        Uniform(low=900, high=900)
