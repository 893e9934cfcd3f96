"""MaPO against closed forms, at 0 too, and independently computed numbers."""

import math

import pytest
import torch

from mitune.objectives.errors import errors
from mitune.objectives.mapo import MaPO, x_over_expm1
from tests.objectives.golden import NEEDS_GOLDEN, cases
from tests.objectives.pair_case import PairCase


def _errors(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).view(2, -1).requires_grad_()


@pytest.mark.parametrize("error", [0.0, 1e-12, 0.3, 5.0])
def test_of_equal_errors_it_is_the_error_and_beta_log_2(error: float) -> None:
    losses = MaPO(beta=0.2).of_errors(_errors(error, error))
    assert losses.item() == pytest.approx(error + 0.2 * math.log(2), abs=1e-15)


def test_at_0_the_gradient_is_that_of_the_slope() -> None:
    """phi' = -s/2 and sigma = 1/2: 1 + beta T s / 4 and -beta T s / 4."""
    given = _errors(0, 0)
    MaPO(beta=0.1, snr=0.5, timesteps=1000).of_errors(given).sum().backward()
    assert given.grad.flatten().tolist() == pytest.approx([13.5, -12.5], abs=1e-12)


def test_without_beta_it_is_sft_on_winners() -> None:
    case = PairCase(MaPO(beta=0))
    sft = errors(case.policy, case.rows.winner, case.rows.captions.condition, case.draws)
    case.check(sft)


def test_it_is_the_formula() -> None:
    case = PairCase(MaPO(beta=0.2, snr=0.7, timesteps=5))
    tuned, _ = case.residuals()
    e = tuned.square().sum(2) / 4
    phi = 0.7 * e / (torch.exp(0.7 * e) - 1)
    case.check(e[0] + 0.2 * torch.log1p(torch.exp(-5 * (phi[0] - phi[1]))))


def test_a_worse_loser_lowers_it() -> None:
    losses = MaPO().of_errors(torch.stack([torch.full((50,), 0.5), torch.linspace(0, 3, 50)]))
    assert (losses.diff() <= 0).all() and losses[0] > losses[-1] + 10


def test_the_quotient_is_exact_on_both_sides_of_the_series_and_never_overflows() -> None:
    x = torch.tensor([0, 1e-9, 1e-3, 0.05, 0.0999999, 0.1000001, 0.5, 20], dtype=torch.float64)
    expected = [1.0, *(v / math.expm1(v) for v in x[1:].tolist())]
    assert x_over_expm1(x).tolist() == pytest.approx(expected, rel=1e-14)
    assert torch.autograd.gradcheck(x_over_expm1, x[1:].clone().requires_grad_())
    large = torch.tensor([200.0, 1e6]).requires_grad_()  # exp overflows in float32
    found = x_over_expm1(large)
    found.sum().backward()
    assert found.tolist() == [0, 0] and large.grad.tolist() == [0, 0]


def test_in_float32_the_slope_near_0_is_not_lost() -> None:
    x = torch.logspace(-30, -1, 100, requires_grad=True)
    x_over_expm1(x).sum().backward()
    exact = x.detach().double()
    # (e^x - 1 - x e^x) / (e^x - 1)^2 by its series
    slope = -0.5 + exact / 6 - exact**3 / 180 + exact**5 / 5040
    torch.testing.assert_close(x.grad.double(), slope, rtol=1e-6, atol=0)


@NEEDS_GOLDEN
def test_the_numbers_are_those_computed_independently() -> None:
    for case in cases("mapo"):
        beta, snr, timesteps = (case.hyper[name] for name in ("beta", "snr_value", "T"))
        tuned, _ = case.errors()
        case.check(MaPO(beta=beta, snr=snr, timesteps=timesteps).of_errors(tuned))
