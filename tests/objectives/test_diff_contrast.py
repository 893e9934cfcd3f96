"""Diff-contrast against Diffusion-DPO, a formula written out and independent numbers."""

import math

import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import cosine_similarity

from mitune.errors import UserError
from mitune.objectives.diff_contrast import DiffContrast
from mitune.objectives.diffusion_dpo import DiffusionDPO
from mitune.objectives.rows import FeaturedPair
from mitune.training.finetuning import Finetuning
from tests.objectives.gaussian_policy import SIZE, encode, features, table_of
from tests.objectives.golden import NEEDS_GOLDEN, cases
from tests.objectives.pair_case import PairCase

ERRORS = torch.rand(2, 2, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
DISTANCES = torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
NEAR_ITSELF = DISTANCES + 1 - torch.eye(4, dtype=torch.float64)


def _losses(distances: torch.Tensor, **settings: float) -> torch.Tensor:
    return DiffContrast(beta=3.0, contrast=4, **settings).of_errors(*ERRORS, distances)


def test_at_the_reference_it_is_log_2_whatever_the_weights() -> None:
    case = PairCase(DiffContrast(contrast=4), examples=8, seed=2)
    losses = case.losses()
    torch.testing.assert_close(losses, torch.full_like(losses, math.log(2)), rtol=0, atol=1e-10)


def test_a_set_of_one_is_diffusion_dpo() -> None:
    case, dpo = PairCase(DiffContrast(contrast=1)), PairCase(DiffusionDPO())
    torch.testing.assert_close(case.losses(), dpo.losses(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(case.gradient(case.losses()), dpo.gradient(dpo.losses()))


def test_cold_it_is_diffusion_dpo_if_every_winner_is_nearest_to_its_own_loser() -> None:
    dpo = DiffusionDPO(beta=3.0).of_errors(*ERRORS)
    torch.testing.assert_close(_losses(NEAR_ITSELF, temperature=1e-3), dpo, rtol=0, atol=1e-12)
    assert (_losses(1 - NEAR_ITSELF, temperature=1e-3) - dpo).abs().max() > 0.01
    # Two pairs of one prompt whose features are the prompt's: half of each.
    alike = NEAR_ITSELF.clone()
    alike[:, :2, :2] = 0
    assert (_losses(alike, temperature=1e-3) - dpo).abs()[:2].min() > 1e-3


def test_hot_all_losers_count_the_same() -> None:
    hot = _losses(DISTANCES, temperature=1e9)
    torch.testing.assert_close(hot, _losses(torch.zeros_like(DISTANCES)), rtol=1e-8, atol=0)


def test_what_is_added_to_all_distances_of_a_winner_does_not_count() -> None:
    shifted = DISTANCES + torch.tensor([0.0, 1, -2, 5], dtype=torch.float64)[:, None]
    torch.testing.assert_close(
        _losses(shifted, temperature=0.5), _losses(DISTANCES, temperature=0.5)
    )


def test_the_order_within_a_set_does_not_count() -> None:
    order = torch.tensor([2, 0, 3, 1])
    tuned, reference = ERRORS[:, :, order]
    found = DiffContrast(beta=3.0, temperature=0.1).of_errors(
        tuned, reference, DISTANCES[:, order][:, :, order]
    )
    torch.testing.assert_close(found, _losses(DISTANCES, temperature=0.1)[order])


@pytest.mark.parametrize("kind", ["mean", "concatenated", "image", "prompt"])
def test_it_is_the_formula(kind: str) -> None:
    """Double sums over two sets of three, with cosines of vectors made one by one."""
    case = PairCase(DiffContrast(beta=3.0, temperature=0.5, contrast=3, features=kind), examples=6)
    tuned, reference = case.residuals()
    shift = (tuned.square() - reference.square()).sum(2) / SIZE
    rows = case.rows

    def joint(picture: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
        picture, prompt = (v.double() / v.double().norm() for v in (picture, prompt))
        return {
            "mean": (picture + prompt) / 2,
            "concatenated": torch.cat([picture, prompt]),
            "image": picture,
            "prompt": prompt,
        }[kind]

    losses = []
    for i in range(6):
        terms, weights = [], []
        for j in range(i // 3 * 3, i // 3 * 3 + 3):
            terms.append(torch.log1p(torch.exp(1.5 * (shift[0, i] - shift[1, j]))))
            winner = joint(rows.winner_features[i], rows.prompt_features[i])
            loser = joint(rows.loser_features[j], rows.prompt_features[j])
            weights.append(torch.exp((cosine_similarity(winner, loser, dim=0) - 1) / 0.5))
        losses.append(sum(w * x for w, x in zip(weights, terms, strict=True)) / sum(weights))
    case.check(torch.stack(losses))


def test_a_set_shares_its_timestep_and_each_pair_has_its_own_noise() -> None:
    case = PairCase(DiffContrast(contrast=4), examples=12)
    times = case.draws.t.view(3, 4)
    assert (times == times[:, :1]).all() and len(set(times[:, 0].tolist())) == 3
    assert len(case.draws.noise.unique(dim=0)) == 12


def test_a_batch_smaller_than_a_set_is_refused() -> None:
    given = {"objective": {"kind": "diff_contrast"}, "optimisation": {"batch_size": 8}}
    with pytest.raises(ValidationError, match="batch_size 8 is no multiple of 16") as caught:
        Finetuning.model_validate(given)
    assert "\n" not in caught.value.errors()[0]["msg"]


def _edited(column: str, value: bytes) -> pd.DataFrame:
    table = table_of(FeaturedPair.roles, 2)
    table.at[3, column] = value
    return table


BAD = {
    "another prompt": (
        _edited("prompt_features", features("another")),
        "'e1': its lines differ in prompt_features; give them the same",
    ),
    "no direction": (
        _edited("image_features", bytes(24)),
        "'e1': the image_features of its loser are 0 or not finite",
    ),
    "another length": (
        _edited("image_features", bytes(20)),
        "image_features of different lengths",
    ),
    "two encoders": (
        table_of(FeaturedPair.roles, 2).assign(image_features=features("any")[:16]),
        "image_features of 4 numbers, prompt_features of 6; take both from one encoder",
    ),
    "no features": (
        table_of(FeaturedPair.roles, 2).drop(columns="image_features"),
        "no column 'image_features'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_features_are_named(case: str) -> None:
    table, message = BAD[case]
    with pytest.raises(UserError, match=message) as caught:
        FeaturedPair.read(table, torch.randn(4, SIZE), encode)
    assert "\n" not in str(caught.value)


@NEEDS_GOLDEN
def test_the_numbers_are_those_computed_independently() -> None:
    for case in cases("rpo"):
        beta, temperature = case.hyper["beta"], case.hyper["tau"]
        objective = DiffContrast(beta=beta, temperature=temperature, contrast=4)
        case.check(objective.of_errors(*case.errors(), case.given["distance"][None]))
