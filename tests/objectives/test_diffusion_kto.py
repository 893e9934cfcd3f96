"""Diffusion-KTO against closed forms, independently computed numbers and a real adapter."""

import math

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
from mitune.objectives import Whole
from mitune.objectives.diffusion_kto import DiffusionKTO
from mitune.objectives.errors import errors
from mitune.objectives.rows import Labelled
from mitune.training.adapters import AdapterSettings
from mitune.training.examples import GivenExamples
from mitune.training.finetuning import Finetuning, finetune
from mitune.training.gradients import StepGradients
from mitune.training.optimisation import Optimisation
from mitune.training.policy import AdapterPolicy
from mitune.training.timesteps import Uniform
from tests.objectives.gaussian_policy import denoiser, policy_of, rows_of
from tests.objectives.golden import NEEDS_GOLDEN, cases

EXAMPLES = 4
TIMES = Uniform(low=100, high=900)


def _rows(liked: tuple[bool, ...] = (True, False, True, True)) -> Labelled:
    rows = rows_of(Labelled, EXAMPLES)
    return Labelled(rows.latents, rows.captions, torch.tensor(liked), torch.ones(EXAMPLES))


def _losses(objective: DiffusionKTO, policy: AdapterPolicy, rows: Labelled) -> Tensor:
    draws = objective.draw(rows, TIMES, torch.Generator().manual_seed(0))
    with torch.no_grad():
        surveyed = objective.survey(policy, rows, draws)
    return objective.loss(policy, rows, draws, Whole(surveyed, surveyed))


AT_REFERENCE = {
    "kahneman_tversky": (0.5, 0.25),
    "loss_averse": (math.log(2), 0.5),
    "risk_seeking": (-math.log(2), 0.5),
}


@pytest.mark.parametrize("utility", AT_REFERENCE)
@pytest.mark.parametrize("liked", [(True, False, True, True), (False, True, False, False)])
def test_at_the_reference_it_is_a_constant_and_pulls_by_the_label(
    utility: str, liked: tuple[bool, ...]
) -> None:
    """methods.md 11 and 23.7: 1/2; flipping all labels leaves it, and turns the gradient round."""
    value, slope = AT_REFERENCE[utility]
    objective, rows = DiffusionKTO(beta=3.0, utility=utility), _rows(liked)
    policy = policy_of(trained := denoiser(1), denoiser(1))
    losses = _losses(objective, policy, rows)
    torch.testing.assert_close(losses, torch.full_like(losses, value))
    (found,) = torch.autograd.grad(losses.mean(), trained.shift.weight)
    draws = objective.draw(rows, TIMES, torch.Generator().manual_seed(0))
    signs = torch.tensor([1.0 if is_liked else -1.0 for is_liked in liked])
    own = errors(policy, rows.latents, rows.captions.condition, draws)
    (expected,) = torch.autograd.grad((signs * 3.0 * slope * own).mean(), trained.shift.weight)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("utility", AT_REFERENCE)
def test_written_out_with_the_mean_of_the_step_as_kl(utility: str) -> None:
    """Loss and gradient; kl is a constant of the step and cannot be negative."""
    objective = DiffusionKTO(beta=5.0, utility=utility, liked_weight=1.5, disliked_weight=0.7)
    rows, seen = _rows(), set()
    for trained, before in ((denoiser(1), denoiser(2)), (denoiser(2), denoiser(1))):
        policy = policy_of(trained, before)
        draws = objective.draw(rows, TIMES, torch.Generator().manual_seed(0))
        gains = errors(before, rows.latents, rows.captions.condition, draws).detach() - errors(
            trained, rows.latents, rows.captions.condition, draws
        )
        kl = max(0.0, gains.mean().item())
        seen.add(kl > 0)
        expected = []
        for gain, liked in zip(gains, rows.liked.tolist(), strict=True):
            x = 5.0 * (gain - kl) * (1 if liked else -1)
            u = 1 / (1 + torch.exp(-x))
            loss = {
                "kahneman_tversky": 1 - u,
                "loss_averse": -torch.log(u),
                "risk_seeking": torch.log(1 - u),
            }[utility]
            expected.append((1.5 if liked else 0.7) * loss)
        losses = _losses(objective, policy, rows)
        torch.testing.assert_close(losses, torch.stack(expected))
        gradients = [
            torch.autograd.grad(total, trained.shift.weight)[0]
            for total in (losses.mean(), torch.stack(expected).mean())
        ]
        torch.testing.assert_close(*gradients)
    assert seen == {True, False}


def test_by_hand() -> None:
    """g = (0.3, -0.1), kl = 0.1: x = 2 (0.3 - 0.1) and -2 (-0.1 - 0.1), both 0.4."""
    tuned, reference = torch.tensor([0.2, 0.6]).double(), torch.tensor([0.5, 0.5]).double()
    found = DiffusionKTO(beta=2.0).of_errors(
        tuned, reference, torch.tensor([True, False]), (reference - tuned).mean()
    )
    assert found.tolist() == pytest.approx([1 / (1 + math.exp(0.4))] * 2)
    negative = DiffusionKTO(beta=2.0).of_errors(
        reference, tuned, torch.tensor([True, False]), (tuned - reference).mean()
    )  # kl would be -0.1, and is 0: x = 2 (-0.3) and -2 (0.1)
    assert negative.tolist() == pytest.approx([1 / (1 + math.exp(x)) for x in (-0.6, -0.2)])


@pytest.mark.parametrize("utility", AT_REFERENCE)
def test_a_liked_picture_that_is_nearer_than_the_mean_costs_less(utility: str) -> None:
    objective = DiffusionKTO(beta=2.0, utility=utility)
    gains = torch.tensor([-0.2, 0.1, 0.3])
    liked, disliked = (
        objective.of_errors(-gains, torch.zeros(3), torch.full((3,), label), torch.tensor(0.1))
        for label in (True, False)
    )
    at_reference = AT_REFERENCE[utility][0]
    assert liked[0] > at_reference > liked[2] and liked[1].item() == pytest.approx(at_reference)
    assert disliked[0] < at_reference < disliked[2]


def test_a_step_of_one_class_is_fine() -> None:
    policy = policy_of(denoiser(1), denoiser(2))
    assert _losses(DiffusionKTO(), policy, _rows((True,) * 4)).isfinite().all()


@NEEDS_GOLDEN
def test_the_numbers_are_those_computed_independently() -> None:
    for case in cases("kto"):
        beta, *weights = (case.hyper[name] for name in ("beta", "desirable", "undesirable"))
        objective = DiffusionKTO(beta=beta, liked_weight=weights[0], disliked_weight=weights[1])
        liked = case.given["label"] == 1
        rows = Labelled(case.latents, case.captions(), liked, torch.ones(case.size))
        policy = AdapterPolicy(case.model("theta"), case.model("ref"))
        surveyed = objective.survey(policy, rows, case.draws).detach()
        case.check(objective.loss(policy, rows, case.draws, Whole(surveyed, surveyed)))


def _given(objective: DiffusionKTO, rows: Labelled, batch_size: int, policy=None) -> GivenExamples:  # type: ignore[no-untyped-def]
    policy = policy or policy_of(denoiser(1), denoiser(2))
    return GivenExamples(objective, policy, rows, TIMES, batch_size, 0.0, 3, torch.device("cpu"))


def test_a_step_in_parts_has_the_kl_of_the_whole_step() -> None:
    gradients = []
    for at_once in (12, 5, 1):
        policy = policy_of(trained := denoiser(1), denoiser(2))
        task = _given(DiffusionKTO(beta=20.0), _rows(), 12, policy)
        weights = list(trained.shift.parameters())
        step = StepGradients(task, weights, 12, at_once, Accelerator(cpu=True))
        value = step(0).loss
        gradients.append(torch.cat([value[None].double(), weights[0].grad.flatten()]))
    for parts in gradients[1:]:
        torch.testing.assert_close(parts, gradients[0], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_liked_pictures_come_in_the_share_that_is_asked_for(share: float) -> None:
    """Three of four are liked; within a class all come equally often, and seeds repeat."""
    rows = _rows()
    frequencies = DiffusionKTO(liked_share=share).frequencies(rows)
    expected = [share / 3, 1 - share, share / 3, share / 3]
    assert frequencies.tolist() == pytest.approx(expected)
    task, again = (_given(DiffusionKTO(liked_share=share), rows, 4000) for _ in range(2))
    for each in (task, again):
        each.prepare(0, Accelerator(cpu=True))
    liked = task._rows.liked
    # Four standard deviations of a share of 4000.
    assert liked.double().mean().item() == pytest.approx(share, abs=0.032)
    assert torch.equal(liked, again._rows.liked)
    again.prepare(1, Accelerator(cpu=True))
    assert not torch.equal(liked, again._rows.liked)


@pytest.mark.parametrize(("label", "missing"), [(True, "disliked"), (False, "liked")])
def test_a_set_of_one_class_is_refused(label: bool, missing: str) -> None:
    with pytest.raises(UserError, match=f"needs both; add {missing} ones") as caught:
        _given(DiffusionKTO(), _rows((label,) * 4), 4)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_one_class_alone_names_the_field(share: float) -> None:
    with pytest.raises(ValidationError, match="liked_share"):
        DiffusionKTO(liked_share=share)


def test_an_adapter_learns_what_is_liked(backbone: Backbone) -> None:
    """On the miniature: 1/2 at the start, and less when the two classes can be told apart."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        [
            {
                "prompt": "a red circle",
                "label": label,
                "latent": (spread * generator.normal(size=512)).astype(np.float16).tobytes(),
            }
            for label, spread in [(1, 0.5), (0, 2.0)] * 4
        ]
    )
    table.attrs = {"latent_shape": [8, 8, 8]}
    settings = Finetuning(
        objective=DiffusionKTO(beta=50.0, liked_share=0.5),
        adapter=AdapterSettings(kind="lora", rank=4, alpha=4),
        optimisation=Optimisation(steps=8, batch_size=8, micro_batch_size=4, learning_rate=3e-3),
    )
    steps = finetune(backbone, table, settings, AdapterRef(None), Accelerator(cpu=True))
    losses = [step.loss for step in steps]
    assert losses[0] == pytest.approx(0.5, abs=1e-6)
    assert np.mean(losses[-3:]) < 0.45
