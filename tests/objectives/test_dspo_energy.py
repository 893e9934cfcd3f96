"""DSPO-E against SFT, its minimum and independently computed numbers."""

import pytest
import torch
from pydantic import ValidationError

from mitune.objectives import SFT
from mitune.objectives.dspo_energy import DSPOEnergy
from mitune.objectives.rows import Single
from mitune.training.finetuning import Finetuning
from tests.objectives.golden import NEEDS_GOLDEN, cases
from tests.objectives.pair_case import PairCase


class SingleCase(PairCase):
    """The winners of its pairs."""

    def losses(self) -> torch.Tensor:
        single = Single(self.rows.winner, self.rows.captions, self.rows.weights)
        return self.objective.loss(self.policy, single, self.draws, self.nothing)


@pytest.mark.parametrize("gamma_beta", [0.0, 0.05, 0.9])
def test_at_the_reference_it_is_less_than_sft_by_gamma_beta(gamma_beta: float) -> None:
    case, sft = SingleCase(DSPOEnergy(gamma_beta=gamma_beta), seed=2), SingleCase(SFT(), seed=2)
    torch.testing.assert_close(
        case.gradient(case.losses()), (1 - gamma_beta) * sft.gradient(sft.losses())
    )


def test_without_gamma_beta_it_is_sft_in_the_same_bits() -> None:
    case, sft = SingleCase(DSPOEnergy(gamma_beta=0)), SingleCase(SFT())
    assert torch.equal(case.losses(), sft.losses())


def test_it_is_the_formula() -> None:
    case = SingleCase(DSPOEnergy(gamma_beta=0.3))
    (tuned, _), (reference, _) = case.residuals()
    case.check((0.7 * tuned + 0.3 * reference).square().sum(1) / 4)


def test_it_is_least_beyond_the_truth_away_from_the_reference() -> None:
    """Residuals -g/(1-g) times those of the reference: eps_theta = (eps - g eps_ref) / (1 - g)."""
    reference = torch.randn(3, 5, dtype=torch.float64)
    losses = DSPOEnergy(gamma_beta=0.2).of_residuals(-0.25 * reference, reference)
    assert losses.max() < 1e-30


def test_one_or_more_is_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        Finetuning.model_validate({"objective": {"kind": "dspo_e", "gamma_beta": 1}})
    (error,) = caught.value.errors()
    assert error["loc"] == ("objective", "dspo_e", "gamma_beta")
    assert "takes back 100%" in error["msg"] and "give less than 1" in error["msg"]


@NEEDS_GOLDEN
def test_the_numbers_are_those_computed_independently() -> None:
    for case in cases("dspo_e"):
        residuals = case.residuals("theta")[0], case.residuals("ref")[0]
        case.check(DSPOEnergy(**case.hyper).of_residuals(*residuals))
