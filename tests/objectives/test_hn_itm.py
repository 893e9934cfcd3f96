"""HN-ITM against closed forms, independently computed numbers and a real adapter."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import Accelerator
from pydantic import ValidationError
from torch import Tensor

from mitune.backbones import AdapterRef
from mitune.backbones.base import Backbone
from mitune.errors import UserError
from mitune.objectives import SFT, Whole
from mitune.objectives.errors import errors
from mitune.objectives.hn_itm import HNITM, MismatchedDraws
from mitune.objectives.rows import Captions, Negatives, Single
from mitune.training.adapters import AdapterSettings
from mitune.training.examples import GivenExamples
from mitune.training.finetuning import Finetuning, finetune
from mitune.training.gradients import StepGradients
from mitune.training.optimisation import Optimisation
from mitune.training.policy import AdapterPolicy
from mitune.training.timesteps import Uniform
from tests.objectives.gaussian_policy import PROMPTS, denoiser, encode, policy_of, rows_of
from tests.objectives.golden import NEEDS_GOLDEN, cases

EXAMPLES = 4
TIMES = Uniform(low=100, high=900)
CLAMPS = pytest.mark.parametrize("clamp", ["sample", "batch"])
NOTHING = Whole(torch.empty(EXAMPLES, 0), torch.empty(EXAMPLES, 0))


def _rows(negative: Tensor | None = None) -> Negatives:
    """Four examples of weight 1 with a negative picture each."""
    rows = rows_of(Negatives, EXAMPLES)
    negative = rows.negative if negative is None else negative
    return replace(rows, negative=negative, weights=torch.ones(EXAMPLES))


def _draws(objective: HNITM, rows: Negatives, seed: int = 0) -> MismatchedDraws:
    return objective.draw(rows, TIMES, torch.Generator().manual_seed(seed))


def _losses(objective: HNITM, policy: AdapterPolicy, rows: Negatives) -> Tensor:
    draws = _draws(objective, rows)
    with torch.no_grad():
        surveyed = objective.survey(policy, rows, draws)
    return objective.loss(policy, rows, draws, Whole(surveyed, surveyed))


@CLAMPS
def test_a_negative_that_is_the_positive_costs_nothing_and_teaches_nothing(clamp: str) -> None:
    """methods.md 16 and 23.7: a tie passes the gradient of both, which is 0."""
    objective = HNITM(clamp=clamp, random_captions=0)
    policy = policy_of(trained := denoiser(1), denoiser(2))
    losses = _losses(objective, policy, _rows(_rows().positive))
    assert losses.tolist() == [0] * EXAMPLES
    (gradient,) = torch.autograd.grad(losses.mean(), trained.shift.weight)
    assert gradient.abs().max() < 1e-12


@CLAMPS
def test_factor_0_is_sft(clamp: str) -> None:
    rows, objective = _rows(), HNITM(clamp=clamp, factor=0)
    found, trained = {}, denoiser(1)
    policy = policy_of(trained, denoiser(2))
    draws = _draws(objective, rows)
    single = Single(rows.positive, rows.captions, rows.weights)
    found["hn_itm"] = _losses(objective, policy, rows)
    found["sft"] = SFT().loss(policy, single, draws, NOTHING)
    torch.testing.assert_close(found["hn_itm"], found["sft"], rtol=1e-12, atol=0)
    gradients = [torch.autograd.grad(v.mean(), trained.shift.weight)[0] for v in found.values()]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=0)


# Errors of positives and negatives; what is left of each loss, and which negatives have a gradient.
BY_HAND = {
    ("sample", 1.0): ([0.3, 0.0, 0.1], [True, False, True]),
    ("sample", 0.5): ([0.3, 0.1, 0.25], [True, False, False]),
    # Means 0.4 and 0.53: beyond the bound, and every example has lost the bound itself.
    ("batch", 1.0): ([0.1, -0.2, 0.1], [False, False, False]),
    ("batch", 1.5): ([0.3, -0.8, 0.1], [True, True, True]),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_by_hand(case: tuple[str, float]) -> None:
    clamp, factor = case
    losses, within = BY_HAND[case]
    positive = torch.tensor([0.5, 0.2, 0.5], dtype=torch.float64, requires_grad=True)
    negative = torch.tensor([0.2, 1.0, 0.4], dtype=torch.float64, requires_grad=True)
    table = torch.stack([positive, negative], 1).detach()
    found = HNITM(clamp=clamp, factor=factor).of_errors(positive, negative, Whole(table, table))
    assert found.tolist() == pytest.approx(losses)
    by_positive, by_negative = torch.autograd.grad(found.sum(), [positive, negative])
    assert by_positive.tolist() == [1, 1, 1]  # none through the bound
    assert by_negative.tolist() == [-1.0 if inside else 0.0 for inside in within]


def test_a_bound_on_the_batch_that_is_reached_logs_0_and_is_sft_to_the_gradient() -> None:
    """The released code at factor 1: methods.md 16."""
    rows = _rows(10 + _rows().positive)
    policy = policy_of(trained := denoiser(1), denoiser(2))
    objective = HNITM(clamp="batch", random_captions=0)
    losses = _losses(objective, policy, rows)
    assert losses.mean().item() == pytest.approx(0, abs=1e-12)
    draws, condition = _draws(objective, rows), rows.captions.condition
    plain = errors(policy, rows.positive, condition, draws)
    gradients = [torch.autograd.grad(v.mean(), trained.shift.weight)[0] for v in (losses, plain)]
    torch.testing.assert_close(*gradients)


@CLAMPS
def test_no_loss_is_below_what_the_bound_leaves(clamp: str) -> None:
    """Mean loss at least (1 - factor) times the mean positive error, however good it gets."""
    for factor in (0.5, 1.0):
        objective = HNITM(clamp=clamp, factor=factor, random_captions=0)
        policy, rows = policy_of(denoiser(1, scale=1.0), denoiser(2)), _rows()
        plain = _losses(HNITM(factor=0, random_captions=0), policy, rows)
        for negative in (rows.negative, 0 * rows.negative, 30 * rows.negative):
            losses = _losses(objective, policy, _rows(negative))
            assert losses.mean() >= (1 - factor) * plain.mean() - 1e-12


@CLAMPS
def test_weights_multiply_both_errors(clamp: str) -> None:
    objective, rows = HNITM(clamp=clamp, random_captions=0), _rows()
    policy, draws = policy_of(denoiser(1), denoiser(2)), _draws(objective, rows)
    weights = torch.tensor([2.0, 0.0, 0.5, 1.0])
    condition = rows.captions.condition
    positive, negative = (
        weights * errors(policy, latents, condition, draws)
        for latents in (rows.positive, rows.negative)
    )
    table = torch.stack([positive, negative], 1)
    expected = objective.of_errors(positive, negative, Whole(table, table))
    found = _losses(objective, policy, replace(rows, weights=weights))
    torch.testing.assert_close(found, expected)


def test_a_random_prompt_has_the_picture_of_its_example() -> None:
    """Written out: one t and noise, the positive picture, and never the example's own prompt."""
    objective, rows = HNITM(random_captions=1), _rows()
    policy = policy_of(denoiser(1), denoiser(2))
    draws = _draws(objective, rows)
    assert (draws.caption != rows.captions.numbers).all()
    y = torch.stack([encode([text]).tensors["y"][0] for text in sorted(PROMPTS)])
    condition = denoiser(1).exact.condition(y[draws.caption])
    positive = errors(policy, rows.positive, rows.captions.condition, draws)
    negative = errors(policy, rows.positive, condition, draws)
    expected = positive - torch.minimum(negative, positive)
    assert (expected != 0).any()
    torch.testing.assert_close(objective.loss(policy, rows, draws, NOTHING), expected)


def test_random_prompts_come_in_their_share_and_all_others_alike() -> None:
    rows = _rows()[torch.zeros(6000, dtype=torch.long)]
    drawn = _draws(HNITM(random_captions=0.25), rows).caption
    own = int(rows.captions.numbers[0])
    shares = {number: (drawn == number).double().mean().item() for number in range(-1, 4)}
    # Four standard deviations of shares of 6000.
    assert shares[-1] == pytest.approx(0.75, abs=0.023)
    assert [shares[n] for n in range(3) if n != own] == pytest.approx([0.125] * 2, abs=0.017)
    assert shares[own] == 0 and shares[3] == 0  # 3 is the empty one
    assert (_draws(HNITM(random_captions=0), rows).caption == -1).all()


def test_an_example_without_its_prompt_has_no_random_one() -> None:
    objective, rows = HNITM(random_captions=1), _rows(_rows().positive)
    policy, draws = policy_of(denoiser(1), denoiser(2)), _draws(objective, rows)
    dropped = rows.without_captions(torch.tensor([True, False, True, False]))
    losses = objective.loss(policy, dropped, draws, NOTHING)
    assert losses[[0, 2]].tolist() == [0, 0]  # both empty, and one picture
    kept = objective.loss(policy, rows, draws, NOTHING)
    torch.testing.assert_close(losses[[1, 3]], kept[[1, 3]])


@NEEDS_GOLDEN
@CLAMPS
def test_the_numbers_are_those_computed_independently(clamp: str) -> None:
    for case in cases(f"hn_itm_{clamp}"):
        objective = HNITM(clamp=clamp, factor=case.hyper["factor"])
        size = case.size
        rows = Negatives(
            case.latents, case.latents, case.captions(), case.captions(size), torch.ones(size)
        )
        model = case.model("theta")
        policy = AdapterPolicy(model, model)
        draws = MismatchedDraws(case.draws.t, case.draws.noise, torch.full((size,), -1))
        surveyed = objective.survey(policy, rows, draws).detach()
        losses = objective.loss(policy, rows, draws, Whole(surveyed, surveyed))
        # Theirs is one number for the batch; ours are shares of it, one per example.
        case.check(losses.mean().expand(size) if clamp == "batch" else losses)


@CLAMPS
def test_a_step_in_parts_has_the_bound_of_the_whole_step(clamp: str) -> None:
    gradients = []
    for at_once in (12, 5, 1):
        policy = policy_of(trained := denoiser(1), denoiser(2))
        task = GivenExamples(
            HNITM(clamp=clamp), policy, _rows(), TIMES, 12, 0.2, 3, torch.device("cpu")
        )
        weights = list(trained.shift.parameters())
        value = StepGradients(task, weights, 12, at_once, Accelerator(cpu=True))(0).loss
        gradients.append(torch.cat([value[None].double(), weights[0].grad.flatten()]))
    for parts in gradients[1:]:
        torch.testing.assert_close(parts, gradients[0], rtol=1e-6, atol=1e-8)


def test_random_prompts_of_a_set_with_a_single_one_are_refused() -> None:
    rows = _rows()
    alone = Captions(encode([PROMPTS[0], ""]), torch.zeros(EXAMPLES, dtype=torch.long))
    one = replace(rows, captions=alone, negative_captions=alone)
    with pytest.raises(UserError, match=r"random_captions is 0.25, but .* set it to 0") as caught:
        _draws(HNITM(), one)
    assert "\n" not in str(caught.value)
    assert (_draws(HNITM(random_captions=0), one).caption == -1).all()


@pytest.mark.parametrize("field", ["factor", "random_captions"])
def test_a_negative_share_or_factor_names_the_field(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        HNITM(**{field: -0.1})


def test_an_adapter_learns_to_tell_negatives(backbone: Backbone) -> None:
    """On the miniature: pictures as negatives, and a prompt that must be another's."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        [
            {
                "example": number,
                "role": role,
                "prompt": ("a red circle", "a blue square")[number % 2],
                "latent": (spread * generator.normal(size=512)).astype(np.float16).tobytes(),
            }
            for number in range(4)
            for role, spread in (("positive", 2.0), ("negative", 0.5))
        ]
    )
    table.attrs = {"latent_shape": [8, 8, 8]}
    settings = Finetuning(
        objective=HNITM(clamp="batch"),
        adapter=AdapterSettings(kind="lora", rank=4, alpha=4),
        optimisation=Optimisation(steps=8, batch_size=8, micro_batch_size=4, learning_rate=3e-3),
    )
    steps = finetune(backbone, table, settings, AdapterRef(None), Accelerator(cpu=True))
    losses = [step.loss for step in steps]
    assert np.mean(losses[-3:]) < losses[0] - 0.05
