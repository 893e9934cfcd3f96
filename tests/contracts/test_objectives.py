"""Laws of every objective in the union, on a Gaussian model with a linear map to train."""

from dataclasses import dataclass
from typing import get_args

import pytest
import torch
from torch import nn

from mitune.diffusion.prediction import Prediction, PredictionKind
from mitune.objectives import Objective, ObjectiveConfig, Online, Whole
from mitune.objectives.hn_itm import HNITM
from mitune.training.timesteps import Uniform
from tests.objectives.gaussian_policy import (
    PROMPTS,
    SIZE,
    ShiftedGaussian,
    denoiser,
    encode,
    policy_of,
    rows_of,
)


def _members() -> tuple[type[Objective], ...]:
    union = (get_args(ObjectiveConfig) or (ObjectiveConfig,))[0]
    return get_args(union) or (union,)


EVERY = pytest.mark.parametrize("objective", [m() for m in _members()], ids=lambda o: o.kind)
GROUPS = 4


class Case:
    """An objective with rows and draws, and a policy that has left its reference."""

    def __init__(self, objective: Objective, kind: PredictionKind = "epsilon") -> None:
        self.objective = objective
        self.size = GROUPS * objective.group
        self.rows = rows_of(objective.rows, self.size)
        generator = torch.Generator().manual_seed(7)
        self.draws = objective.draw(self.rows, Uniform(low=100, high=900), generator)
        self.trained, self.before = denoiser(1, kind), denoiser(2, kind)
        self.modules = nn.ModuleDict()
        if isinstance(objective, Online):
            torch.manual_seed(0)
            self.modules.update(objective.modules((SIZE,), encode(PROMPTS[:1])))
        self.policy = policy_of(self.trained, self.before, self.modules.double())

    def losses(self, order: torch.Tensor | None = None, parts: int = 1) -> torch.Tensor:
        """Of the examples in `order`, surveyed together and then taken in `parts`."""
        order = torch.arange(self.size) if order is None else order
        rows, draws = self.rows[order], self.draws[order]
        with torch.no_grad():
            surveyed = self.objective.survey(self.policy, rows, draws)
        found = []
        for part in torch.arange(self.size).chunk(parts):
            whole = Whole(surveyed, surveyed[part])
            found.append(self.objective.loss(self.policy, rows[part], draws[part], whole))
        return torch.cat(found)


@EVERY
def test_one_finite_value_per_example_with_a_gradient(objective: Objective) -> None:
    case = Case(objective)
    losses = case.losses()
    assert losses.shape == (case.size,) and losses.isfinite().all()
    losses.mean().backward()
    assert case.trained.shift.weight.grad.abs().sum() > 0


@EVERY
def test_no_gradient_reaches_the_reference(objective: Objective) -> None:
    case = Case(objective)
    case.losses().mean().backward()
    assert case.before.shift.weight.requires_grad and case.before.shift.weight.grad is None


@EVERY
def test_parts_of_a_batch_are_the_batch(objective: Objective) -> None:
    case = Case(objective)
    whole, parts = case.losses(), case.losses(parts=GROUPS)
    torch.testing.assert_close(parts, whole, rtol=1e-12, atol=1e-12)
    gradients = [
        torch.autograd.grad(losses.mean(), case.trained.shift.weight)[0]
        for losses in (whole, parts)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-12)


@EVERY
def test_the_order_of_groups_does_not_count(objective: Objective) -> None:
    case = Case(objective)
    groups = torch.arange(case.size).view(GROUPS, -1)
    order = groups[torch.tensor([2, 0, 3, 1])].flatten()
    torch.testing.assert_close(case.losses(order), case.losses()[order], rtol=1e-12, atol=1e-12)


@EVERY
@pytest.mark.parametrize("kind", ["v_prediction", "flow", "sample"])
def test_a_loss_does_not_depend_on_what_the_network_predicts(
    objective: Objective, kind: PredictionKind
) -> None:
    torch.testing.assert_close(
        Case(objective, kind).losses(), Case(objective).losses(), rtol=1e-8, atol=1e-8
    )


@EVERY
def test_draws_hang_on_the_generator_alone_and_are_one_per_example(objective: Objective) -> None:
    first, second = Case(objective), Case(objective)
    assert len(first.draws) == first.size
    for name, value in vars(first.draws).items():
        assert torch.equal(value, vars(second.draws)[name]) and len(value) == first.size


@dataclass(frozen=True, eq=False)
class Counting(ShiftedGaussian):
    """Counts latents by whether a gradient is recorded."""

    counts: dict[bool, int]

    def predict(self, z_t, t, condition) -> Prediction:  # type: ignore[no-untyped-def]
        self.counts[torch.is_grad_enabled()] += len(z_t)
        return super().predict(z_t, t, condition)


@EVERY
def test_passes_are_the_evaluations_that_are_made(objective: Objective) -> None:
    """What `kedro cost` counts."""
    case = Case(objective)
    counts = {False: 0, True: 0}
    trained, before = (Counting(d.exact, d.shift, counts) for d in (case.trained, case.before))
    case.policy = policy_of(trained, before, case.modules)
    case.losses()
    assert objective.passes == (counts[False] / case.size, counts[True] / case.size)


@pytest.mark.parametrize(
    "objective", [*(m() for m in _members()), HNITM(clamp="batch")], ids=lambda o: o.kind
)
def test_it_says_whether_it_asks_for_the_reference(objective: Objective) -> None:
    """Else none is loaded."""
    case = Case(objective)
    counts = {False: 0, True: 0}
    before = Counting(case.before.exact, case.before.shift, counts)
    case.policy = policy_of(case.trained, before, case.modules)
    case.losses()
    assert objective.uses_reference == (counts[False] > 0) and counts[True] == 0
