"""DSPO-ref against Diffusion-DPO and formulas written out."""

import pytest
import torch
from pydantic import ValidationError

from mitune.objectives.diffusion_dpo import DiffusionDPO
from mitune.objectives.dspo_ref import DSPORef
from mitune.training.finetuning import Finetuning
from tests.objectives.golden import NEEDS_GOLDEN, cases
from tests.objectives.pair_case import PairCase


@pytest.mark.parametrize("beta", [1.0, 5000.0])
def test_at_the_reference_it_is_a_quarter_with_half_the_gradient_of_dpo(beta: float) -> None:
    case, dpo = PairCase(DSPORef(beta=beta), seed=2), PairCase(DiffusionDPO(beta=beta), seed=2)
    losses = case.losses()
    torch.testing.assert_close(losses, torch.full_like(losses, 0.25), rtol=0, atol=1e-12)
    torch.testing.assert_close(case.gradient(losses), dpo.gradient(dpo.losses()) / 2)


def test_it_is_the_formula() -> None:
    case = PairCase(DSPORef(beta=3.0))
    tuned, reference = case.residuals()
    e, e_ref = (d.square().sum(2) / 4 for d in (tuned, reference))
    z = -1.5 * ((e[0] - e[1]) - (e_ref[0] - e_ref[1]))
    case.check((1 - 1 / (1 + torch.exp(-z))) ** 2)


def test_it_is_between_0_and_1_however_large_beta_is() -> None:
    tuned, reference = torch.randn(2, 2, 100, 5, generator=torch.Generator().manual_seed(0))
    losses = DSPORef(beta=1e6).of_residuals(tuned, reference)
    assert losses.min() >= 0 and losses.max() <= 1 and losses.isfinite().all()


def test_the_released_form_is_another_where_the_winner_s_prediction_has_moved_far() -> None:
    """Predictions that moved by 0.3 and 0.4: squares of 0.09 and 0.16 on either side of 0.1."""
    moved = torch.tensor([0.3, 0.4], dtype=torch.float64)[:, None]
    reference = torch.full((2, 2, 5), 0.5, dtype=torch.float64)
    tuned = torch.stack([reference[0] + moved, reference[1]])
    simplified, released = (
        DSPORef(beta=3.0, form=form).of_residuals(tuned, reference)
        for form in ("simplified", "released")
    )
    expected = simplified * torch.tensor([1.0, 0.16], dtype=torch.float64)
    torch.testing.assert_close(released, expected, rtol=1e-12, atol=0)


def test_the_literal_form_is_refused_since_it_cannot_start() -> None:
    with pytest.raises(ValidationError) as caught:
        Finetuning.model_validate({"objective": {"kind": "dspo_ref", "form": "literal"}})
    (error,) = caught.value.errors()
    assert error["loc"] == ("objective", "dspo_ref", "form")
    assert "0 at the start" in error["msg"] and "give simplified" in error["msg"]
    # Written out at the reference, whatever the factor in front is.
    residual = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    literal = (0.4 * (residual[0] - residual.detach()[0])).square().mean(1)
    assert not torch.autograd.grad(literal.sum(), residual)[0].any()


@NEEDS_GOLDEN
def test_the_numbers_are_those_computed_independently() -> None:
    for case in cases("dspo_ref_eq47"):
        residuals = case.residuals("theta"), case.residuals("ref")
        case.check(DSPORef(**case.hyper).of_residuals(*residuals))
