"""DSPO against SFT, formulas written out and independently computed numbers."""

import math

import pytest
import torch
from pydantic import ValidationError

from mitune.objectives.dspo import DSPO
from mitune.objectives.errors import errors
from mitune.training.finetuning import Finetuning
from tests.objectives.golden import NEEDS_GOLDEN, cases
from tests.objectives.pair_case import PairCase


@pytest.mark.parametrize("detach_gate", [False, True])
@pytest.mark.parametrize("lam", [0.0, 0.001, 0.05, 0.9])
def test_at_the_reference_it_is_less_than_sft_by_half_of_lam(lam: float, detach_gate: bool) -> None:
    case = PairCase(DSPO(lam=lam, detach_gate=detach_gate), seed=2)
    sft = errors(case.policy, case.rows.winner, case.rows.captions.condition, case.draws)
    torch.testing.assert_close(
        case.gradient(case.losses()), (1 - lam / 2) * case.gradient(sft), rtol=1e-10, atol=1e-14
    )


@pytest.mark.parametrize(("lam", "factor"), [(2.0, 0.0), (5000.0, -2499.0)])
def test_why_a_large_lam_is_refused(lam: float, factor: float) -> None:
    """At 2 nothing is learnt from winners, above it their contrary; never anything from losers."""
    objective = DSPO.model_construct(lam=lam)
    residual = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    losses = objective.of_residuals(residual, residual.detach())
    (found,) = torch.autograd.grad(losses.sum(), residual)
    torch.testing.assert_close(found[0], factor * 2 * residual[0].detach() / 5)
    assert not found[1].any()


@pytest.mark.parametrize("lam", [1.0, 5000.0])
def test_a_large_lam_names_the_field_and_the_fix(lam: float) -> None:
    with pytest.raises(ValidationError) as caught:
        Finetuning.model_validate({"objective": {"kind": "dspo", "lam": lam}})
    (error,) = caught.value.errors()
    assert error["loc"] == ("objective", "dspo", "lam")
    assert "give less than 1" in error["msg"] and "\n" not in error["msg"]


def test_without_lam_it_is_sft_in_the_same_bits_whatever_the_loser() -> None:
    tuned, reference, other = torch.randn(3, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    objective = DSPO(lam=0)
    losses = objective.of_residuals(tuned, reference)
    assert torch.equal(losses, tuned[0].square().mean(1))
    assert torch.equal(losses, objective.of_residuals(torch.stack([tuned[0], other[1]]), reference))


def test_it_is_the_formula() -> None:
    case = PairCase(DSPO(lam=0.6))
    tuned, reference = case.residuals()
    e, e_ref = (d.square().sum(2) / 4 for d in (tuned, reference))
    z = -0.3 * ((e[0] - e[1]) - (e_ref[0] - e_ref[1]))
    gate = 1 - 1 / (1 + torch.exp(-z))
    case.check((tuned[0] - 0.6 * gate[:, None] * (tuned[0] - reference[0])).square().sum(1) / 4)


def test_a_pair_by_hand() -> None:
    """One element: residuals 2 and 1 with, 1 and 1 without the adapter: z = -0.25 (3 - 0)."""
    tuned, reference = (
        torch.tensor(values, dtype=torch.float64).view(2, 1, 1) for values in ([2, 1], [1, 1])
    )
    expected = (2 - 0.5 / (1 + math.exp(-0.75))) ** 2
    assert DSPO(lam=0.5).of_residuals(tuned, reference).item() == pytest.approx(expected, abs=1e-14)


def test_a_detached_gate_moves_nothing_by_the_loser() -> None:
    tuned = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    reference = torch.randn(2, 3, 5, dtype=torch.float64)
    of_loser = {}
    for detached in (False, True):
        losses = DSPO(lam=0.6, detach_gate=detached).of_residuals(tuned, reference)
        (gradient,) = torch.autograd.grad(losses.sum(), tuned)
        of_loser[detached] = gradient[1].abs().max().item()
    assert of_loser[True] == 0 and of_loser[False] > 1e-3


def test_at_the_lam_of_the_paper_it_is_sft_but_for_half_a_thousandth() -> None:
    case = PairCase(DSPO())
    sft = errors(case.policy, case.rows.winner, case.rows.captions.condition, case.draws)
    one, other = case.gradient(case.losses()), case.gradient(sft)
    assert 1e-5 < (one - other).norm() / other.norm() < 1e-3


@NEEDS_GOLDEN
@pytest.mark.parametrize("name", ["dspo", "dspo_detached"])
def test_the_numbers_are_those_computed_independently(name: str) -> None:
    for case in cases(name):
        residuals = case.residuals("theta"), case.residuals("ref")
        case.check(DSPO(**case.hyper).of_residuals(*residuals))
