"""What is watched beside the losses: values, signs, and how it gets into the log."""

import pytest
import torch
from accelerate import Accelerator

from mitune.objectives import Losses, watched
from mitune.objectives.d3po import D3PO
from mitune.objectives.diff_contrast import DiffContrast
from mitune.objectives.diffusion_dpo import DiffusionDPO
from mitune.objectives.dspo import DSPO
from mitune.objectives.dspo_ref import DSPORef
from mitune.objectives.mapo import MaPO
from mitune.training.gradients import StepGradients
from mitune.training.loop import train
from mitune.training.optimisation import Optimisation
from mitune.training.task import EachAlone
from tests.objectives.pair_case import PairCase

PAIRS = [DiffusionDPO(), DSPO(), DSPORef(), DiffContrast(contrast=3)]


def _losses(case: PairCase) -> Losses:
    return case.objective.losses(case.policy, case.rows, case.draws, case.nothing)


@pytest.mark.parametrize("objective", PAIRS, ids=lambda objective: objective.kind)
def test_of_pairs_it_is_written_out(objective) -> None:  # type: ignore[no-untyped-def]
    case = PairCase(objective)
    found = _losses(case)
    torch.testing.assert_close(found.values, case.losses())
    tuned, reference = case.residuals()
    gains = (reference**2).mean(2) - (tuned**2).mean(2)
    expected = {
        "accuracy": (gains[0] > gains[1]).to(gains),
        "margin": gains[0] - gains[1],
        "gain": gains[0],
        "drift": ((tuned - reference) ** 2).mean(2).mean(0),
    }
    assert found.watched.keys() == expected.keys()
    for name, values in expected.items():
        assert not found.watched[name].requires_grad
        torch.testing.assert_close(found.watched[name], values.detach())


@pytest.mark.parametrize("objective", PAIRS, ids=lambda objective: objective.kind)
def test_at_the_reference_nobody_is_preferred(objective) -> None:  # type: ignore[no-untyped-def]
    found = _losses(PairCase(objective, seed=2)).watched
    assert found["accuracy"].tolist() == [0.5] * 3
    assert not found["margin"].any() and not found["gain"].any() and not found["drift"].any()


def test_without_a_reference_errors_are_compared() -> None:
    case = PairCase(MaPO())
    tuned = (case.residuals()[0] ** 2).mean(2)
    found = _losses(case).watched
    torch.testing.assert_close(found["margin"], (tuned[1] - tuned[0]).detach())
    assert found.keys() == {"accuracy", "margin"}


def test_a_picture_that_is_not_liked_should_lose() -> None:
    found = watched.of_labels(torch.tensor([1.0, 1.0, 0.0]), torch.tensor([True, False, True]))
    assert found["margin"].tolist() == [1.0, -1.0, 0.0]
    assert found["accuracy"].tolist() == [1.0, 0.0, 0.5]


def test_steps_beyond_the_clip_are_outside() -> None:
    ratios = torch.tensor([0.85, 0.95, 1.05, 1.15])
    found = watched.of_steps(torch.arange(4.0), ratios.log(), D3PO().clip)
    assert found["outside"].tolist() == [1.0, 0.0, 0.0, 1.0]
    assert found["reward"].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_it_is_logged_as_a_mean_over_the_step_however_it_is_split() -> None:
    network = torch.nn.Linear(1, 1)

    class Watching(EachAlone):
        def losses(self, rows: torch.Tensor, whole: torch.Tensor) -> Losses:
            values = network(rows[:, None].float()).sum(1)
            return Losses(values, {"place": rows.double() + self.step})

    settings = Optimisation(steps=2, batch_size=6)
    for micro in (None, 4, 1):
        split = settings.model_copy(update={"micro_batch_size": micro})
        task = Watching(lambda step, rows: rows)
        log = list(train({"n": network}, task, split, Accelerator(cpu=True)))
        assert [step.watched for step in log] == [{"place": 2.5}, {"place": 3.5}]
        assert all(step.seconds > 0 for step in log)
    nothing = EachAlone(lambda step, rows: network(rows[:, None].float()).sum(1))
    weights = list(network.parameters())
    assert StepGradients(nothing, weights, 6, 6, Accelerator(cpu=True))(0).watched == {}
