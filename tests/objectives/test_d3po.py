"""D3PO against closed forms and independent numbers, and learning from its own pictures."""

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from accelerate import Accelerator
from pydantic import ValidationError
from torch import Tensor, nn

from mitune.backbones import AdapterRef
from mitune.backbones.base import Backbone
from mitune.objectives import Whole
from mitune.objectives.d3po import D3PO
from mitune.objectives.draws import Transitions
from mitune.objectives.rows import Captions, Trajectory
from mitune.training.adapters import AdapterSettings
from mitune.training.checkpoint import Checkpoint
from mitune.training.finetuning import Finetuning, finetune
from mitune.training.loop import train
from mitune.training.optimisation import Optimisation
from mitune.training.rollouts import RolledExamples, RolloutSource
from mitune.training.timesteps import Uniform
from tests.objectives.gaussian_policy import (
    PROMPTS,
    SIZE,
    denoiser,
    encode,
    policy_of,
)
from tests.objectives.golden import NEEDS_GOLDEN, cases

SMALL = {"images": 3, "rollouts": 9, "steps": 5, "guidance_scale": 2.0}


def _rollouts(objective: D3PO, examples: int) -> Trajectory:
    """Trajectories of a policy that is neither the trained one nor its reference, in float64."""
    groups = torch.arange(examples // objective.group) % len(PROMPTS)
    captions = Captions(encode([*PROMPTS, ""]), groups.repeat_interleave(objective.group))
    generators = [torch.Generator().manual_seed(number) for number in range(examples)]
    policy = policy_of(denoiser(3), denoiser(2))
    with torch.no_grad():
        rows = objective.rollout(policy, captions, (SIZE,), generators, lambda z: z.mean(1))
    return replace(rows, states=rows.states.double(), rewards=rows.rewards.double())


def _loss(objective: D3PO, trained, before, rows: Trajectory, index: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
    nothing = Whole(torch.empty(len(rows), 0), torch.empty(len(rows), 0))
    return objective.loss(policy_of(trained, before), rows, Transitions(index), nothing)


def _logs(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("beta", [0.1, 100.0])
def test_at_the_reference_it_is_log_2(beta: float) -> None:
    objective = D3PO(beta=beta, **SMALL)
    rows = _rollouts(objective, 6)
    losses = _loss(objective, denoiser(1), denoiser(1), rows, torch.tensor([2, 2, 2, 0, 0, 0]))
    torch.testing.assert_close(losses, torch.full_like(losses, math.log(2)), rtol=0, atol=1e-12)


def test_without_beta_it_is_log_2() -> None:
    losses = D3PO(beta=0, images=2, rollouts=2).of_log_probs(
        _logs(0.05, -0.02), _logs(0, 0), _logs(1, 0)
    )
    assert losses.tolist() == pytest.approx([math.log(2)] * 2, abs=1e-15)


def test_a_pair_by_hand() -> None:
    """log rho 0.05 and -0.02, the first worth more: -log sigma(2 * 0.07) for both."""
    objective = D3PO(beta=2.0, images=2, rollouts=2)
    tuned = _logs(0.05, -0.02).requires_grad_()
    losses = objective.of_log_probs(tuned, _logs(0, 0), _logs(1, 0))
    assert losses.tolist() == pytest.approx([math.log1p(math.exp(-0.14))] * 2, abs=1e-14)
    losses.mean().backward()
    pull = 2 / (1 + math.exp(0.14))
    assert tuned.grad.tolist() == pytest.approx([-pull, pull], abs=1e-14)
    swapped = objective.of_log_probs(tuned, _logs(0, 0), _logs(0, 1))
    assert swapped.tolist() == pytest.approx([math.log1p(math.exp(0.14))] * 2, abs=1e-14)


def test_pictures_of_the_same_worth_move_nothing() -> None:
    tuned = _logs(0.05, -0.02, 0.01).requires_grad_()
    objective = D3PO(beta=2.0, images=3, rollouts=3)
    losses = objective.of_log_probs(tuned, _logs(0, 0, 0), _logs(1, 1, 1))
    losses.sum().backward()
    assert losses.tolist() == pytest.approx([math.log(2)] * 3) and not tuned.grad.any()


def test_beyond_the_clip_a_transition_moves_nothing() -> None:
    """Released: rho is held in [0.9, 1.1] whichever way it is to go."""
    tuned = _logs(0.2, 0.05, -0.3, 0.0).requires_grad_()
    losses = D3PO(images=4, rollouts=4).of_log_probs(tuned, torch.zeros(4), _logs(4, 3, 2, 1))
    losses.sum().backward()
    assert (tuned.grad != 0).tolist() == [False, True, False, True]
    held = _logs(math.log(1.1), 0.05, math.log(0.9), 0.0)
    again = D3PO(images=4, rollouts=4).of_log_probs(held, torch.zeros(4), _logs(4, 3, 2, 1))
    torch.testing.assert_close(losses.detach(), again)


def test_the_mean_is_that_of_all_pairs_of_a_prompt() -> None:
    objective = D3PO(beta=3.0, images=3, rollouts=3)
    tuned, rewards = _logs(0.05, -0.02, 0.08), _logs(0.3, 0.1, 0.2)
    found = objective.of_log_probs(tuned, torch.zeros(3), rewards).mean().item()
    pairs = [(0, 1), (0, 2), (2, 1)]  # better, worse
    expected = sum(math.log1p(math.exp(-3 * (tuned[b] - tuned[w]).item())) for b, w in pairs) / 3
    assert found == pytest.approx(expected, abs=1e-14)


def test_it_is_the_formula() -> None:
    """DDIM's kernel at guided noise written out, of one transition of six trajectories."""
    objective = D3PO(beta=5.0, clip=0.9, **SMALL)
    rows = _rollouts(objective, 6)
    index = torch.tensor([1, 1, 1, 2, 2, 2])
    trained, before = denoiser(1), denoiser(2)
    grid = torch.tensor([999, 799, 599, 399, 199])
    each = torch.arange(6)
    z, following = rows.states[each, index], rows.states[each, index + 1]
    now, later = (trained.path.alpha(grid[i].double())[:, None] ** 2 for i in (index, index + 1))
    deviation = ((1 - later) / (1 - now) * (1 - now / later)).sqrt()

    def log_prob(model) -> Tensor:  # type: ignore[no-untyped-def]
        null = encode([""] * 6)
        given = model.predict(z, grid[index], rows.captions.condition).eps
        empty = model.predict(z, grid[index], null).eps
        eps = empty + 2 * (given - empty)
        x0 = (z - (1 - now).sqrt() * eps) / now.sqrt()
        mean = later.sqrt() * x0 + (1 - later - deviation**2).sqrt() * eps
        return torch.distributions.Normal(mean, deviation).log_prob(following).mean(1)

    shift = log_prob(trained) - log_prob(before).detach()
    assert shift.abs().max() < math.log(1.9)  # nothing is clipped
    losses = []
    for i in range(6):
        others = [j for j in range(i // 3 * 3, i // 3 * 3 + 3) if j != i]
        sides = [1 if rows.rewards[i] > rows.rewards[j] else -1 for j in others]
        terms = [
            torch.log1p(torch.exp(-5 * h * (shift[i] - shift[j])))
            for h, j in zip(sides, others, strict=True)
        ]
        losses.append(sum(terms) / 2)
    expected = torch.stack(losses)
    found = _loss(objective, trained, before, rows, index)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)
    gradients = [
        torch.autograd.grad(values.mean(), trained.shift.weight)[0] for values in (found, expected)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-8)


def test_pictures_of_a_prompt_share_their_step() -> None:
    objective = D3PO(**SMALL)
    rows = _rollouts(objective, 9)
    index = objective.draw(rows, Uniform(), torch.Generator().manual_seed(1)).index.view(3, 3)
    assert (
        (index == index[:, :1]).all()
        and len(index[:, 0].unique()) > 1
        and index.max() < 4 == rows.times.shape[1] - 1
    )


def test_rollouts_have_the_law_of_the_model() -> None:
    """Unguided, at many steps: the exact model of N(m, s^2) is sampled, each on its own seed."""
    objective = D3PO(images=2, rollouts=400, steps=50, guidance_scale=1.0)
    exact = denoiser(1, scale=0.0)
    captions = Captions(encode([*PROMPTS, ""]), torch.zeros(400, dtype=torch.long))
    seeds = [torch.Generator().manual_seed(number) for number in range(400)]
    with torch.no_grad():
        rows = objective.rollout(
            policy_of(exact, exact), captions, (SIZE,), seeds, lambda z: z.mean(1)
        )
    pictures = rows.states[:, -1].double()
    samples = exact.exact.sample(captions.condition.tensors["y"], torch.Generator().manual_seed(0))
    assert (pictures.mean(0) - samples.mean(0)).abs().max() < 0.15
    assert (pictures.std(0) - samples.std(0)).abs().max() < 0.1
    assert rows.log_probs.shape == (400, 50) and rows.log_probs.isfinite().all()
    torch.testing.assert_close(rows.rewards, rows.states[:, -1].mean(1))


class Training:
    """A policy that is to learn to paint near 0."""

    def __init__(self, at_once: int = 64) -> None:
        objective = D3PO(beta=50.0, images=4, rollouts=64, every=4, steps=4, guidance_scale=1.5)
        self.trained = denoiser(1, scale=0.0)
        self.rewards: list[float] = []
        captions = Captions(encode([*PROMPTS, ""]), torch.arange(len(PROMPTS)))
        source = RolloutSource(PROMPTS, captions, (SIZE,), self.reward)
        policy = policy_of(self.trained, denoiser(1, scale=0.0), nn.ModuleDict())
        device = torch.device("cpu")
        self.task = RolledExamples(objective, policy, source, Uniform(), 64, at_once, 5, device)

    def reward(self, latents: Tensor, prompts: object) -> Tensor:
        values = -latents.square().mean(1)
        self.rewards.append(values.mean().item())
        return values

    def steps(self, checkpoint: Checkpoint | None = None):  # type: ignore[no-untyped-def]
        settings = Optimisation(steps=24, batch_size=64, learning_rate=2e-2, weight_decay=0)
        modules = {"network": self.trained.shift}
        return train(modules, self.task, settings, Accelerator(cpu=True), checkpoint)


def test_the_reward_rises() -> None:
    training = Training()
    log = list(training.steps())
    assert log[0].loss == pytest.approx(math.log(2), abs=1e-6)
    assert len(training.rewards) == 6
    assert training.rewards[-1] > training.rewards[0] + 0.05


def test_an_interrupted_run_ends_in_the_same_bits(tmp_path: Path) -> None:
    undisturbed = Training()
    log = list(undisturbed.steps())
    checkpoint = Checkpoint(tmp_path / "state.pt", "key", every=0.0)
    steps = Training().steps(checkpoint)
    for _ in range(7):
        next(steps)
    del steps
    resumed = Training()
    assert list(resumed.steps(checkpoint)) == log
    assert torch.equal(resumed.trained.shift.weight, undisturbed.trained.shift.weight)


@pytest.mark.parametrize(
    ("given", "field", "message"),
    [
        ({"images": 1}, ("images",), "greater than or equal to 2"),
        ({"clip": 1.0}, ("clip",), "less than 1"),
        ({"rollouts": 30}, (), "rollouts: 30 is no multiple of 7"),
    ],
)
def test_wrong_settings_name_the_field(
    given: dict[str, float], field: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Finetuning.model_validate({"objective": {"kind": "d3po", **given}})
    (error,) = caught.value.errors()
    assert error["loc"] == ("objective", "d3po", *field)
    assert message in error["msg"] and "\n" not in error["msg"]


@NEEDS_GOLDEN
def test_the_numbers_are_those_computed_independently() -> None:
    """`logp` is (2, B): the first picture of each pair is worth more."""
    for case in cases("d3po"):
        beta, clip, better = (case.hyper[name] for name in ("beta", "clip", "h"))
        objective = D3PO(beta=beta, clip=clip, images=2, rollouts=2)
        tuned, reference = (case.given[name].T.flatten() for name in ("logp", "logp_ref"))
        rewards = torch.tensor(better).repeat(case.size)
        both = objective.of_log_probs(tuned, reference, rewards).view(-1, 2)
        torch.testing.assert_close(both[:, 0], both[:, 1])
        case.check(both[:, 0])


def test_an_adapter_learns_from_its_own_pictures(backbone: Backbone) -> None:
    """On the miniature, whose pictures are to be dark; log 2 while it is its reference."""
    settings = Finetuning(
        objective=D3PO(images=4, rollouts=8, steps=3, every=2, guidance_scale=2.0),
        adapter=AdapterSettings(kind="lora", rank=4, alpha=4),
        optimisation=Optimisation(steps=3, batch_size=8, learning_rate=1e-3),
    )
    prompts = pd.DataFrame({"prompt": ["a red circle", "a blue square"]})
    steps = list(
        finetune(
            backbone,
            prompts,
            settings,
            AdapterRef(None),
            Accelerator(cpu=True),
            reward=lambda images, _: -images.mean((1, 2, 3)),
        )
    )
    assert steps[0].loss == pytest.approx(math.log(2), abs=1e-6) and steps[0].grad_norm > 0
    assert abs(steps[2].loss - math.log(2)) > 1e-6
