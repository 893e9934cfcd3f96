"""What users of the released codes met: each of these has been a bug somewhere."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import Accelerator

from mitune.backbones import AdapterRef, Backbone, ModelRef, open_backbone
from mitune.objectives import HNITM, DiffusionDPO, DiffusionKTO, Objective, Whole
from mitune.objectives.errors import errors
from mitune.objectives.rows import Pair
from mitune.training.adapters import AdapterSettings
from mitune.training.checkpoint import Checkpoint, TrainingStep
from mitune.training.finetuning import Finetuning, finetune, save
from mitune.training.optimisation import Optimisation
from mitune.training.timesteps import Uniform
from tests.objectives.gaussian_policy import denoiser, policy_of, rows_of

EXAMPLES = 4
NOTHING = Whole(torch.empty(EXAMPLES, 0), torch.empty(EXAMPLES, 0))


def _dpo(beta: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses (E,), and the margins (e_w - e_l) - (e_w^ref - e_l^ref) written out."""
    objective, rows = DiffusionDPO(beta=beta), rows_of(Pair, EXAMPLES)
    rows = Pair(rows.winner, rows.loser, rows.captions, torch.ones(EXAMPLES))
    policy = policy_of(denoiser(1), denoiser(2))
    draws = objective.draw(rows, Uniform(low=100, high=900), torch.Generator().manual_seed(0))
    condition = rows.captions.condition

    def gap(model) -> torch.Tensor:  # type: ignore[no-untyped-def]
        winner, loser = (errors(model, x, condition, draws) for x in (rows.winner, rows.loser))
        return winner - loser

    return objective.loss(policy, rows, draws, NOTHING), gap(policy) - gap(policy.reference)


def test_the_mean_is_taken_of_losses_and_not_before_the_log_sigmoid() -> None:
    """diffusers' research script had it the other way round (pull request 6702)."""
    losses, margins = _dpo(beta=40.0)
    logits = -20.0 * margins
    torch.testing.assert_close(losses.mean(), -torch.log(torch.sigmoid(logits)).mean())
    before = -torch.log(torch.sigmoid(logits.mean()))
    assert (losses.mean() - before).abs() > 1e-2


def test_beta_has_its_half() -> None:
    """Without it a beta pulls as twice its value (diffusers' pull request 6788)."""
    losses, margins = _dpo(beta=6.0)
    with_half, without = (torch.log1p(torch.exp(factor * margins)) for factor in (3.0, 6.0))
    torch.testing.assert_close(losses, with_half)
    assert (losses - without).abs().max() > 1e-3
    doubled, _ = _dpo(beta=12.0)
    torch.testing.assert_close(doubled, without)


ROWS: dict[str, tuple[Objective, tuple[str, ...]]] = {
    "pair": (DiffusionDPO(beta=100.0), ("winner", "loser")),
    "labelled": (DiffusionKTO(beta=50.0), ("image",)),
    "negatives": (HNITM(), ("positive", "negative")),
}


def _table(roles: tuple[str, ...]) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        [
            {
                "example": number,
                "role": role,
                "prompt": ("a red circle", "a blue square")[number % 2],
                "label": number % 2,
                "latent": (spread * generator.normal(size=512)).astype(np.float16).tobytes(),
            }
            for number in range(6)
            for role, spread in zip(roles, (0.5, 2.0), strict=False)
        ]
    )
    table.attrs = {"latent_shape": [8, 8, 8]}
    return table


def _settings(objective: Objective, micro: int | None = None, **changes) -> Finetuning:  # type: ignore[no-untyped-def]
    return Finetuning(
        objective=objective,
        adapter=AdapterSettings(kind="lora", rank=2, alpha=2),
        optimisation=Optimisation(
            steps=4, batch_size=4, micro_batch_size=micro, learning_rate=3e-3
        ),
        **changes,
    )


def _train(
    backbone: Backbone,
    kind: str,
    previous: AdapterRef,
    checkpoint: Checkpoint | None = None,
    micro: int | None = None,
    steps: int = 4,
) -> list[TrainingStep]:
    objective, roles = ROWS[kind]
    accelerator, settings = Accelerator(cpu=True), _settings(objective, micro)
    stream = finetune(backbone, _table(roles), settings, previous, accelerator, checkpoint)
    return [next(stream) for _ in range(steps)] if steps < 4 else list(stream)


def _weights(backbone: Backbone) -> dict[str, torch.Tensor]:
    named = backbone.network.named_parameters()
    return {name: p.detach().clone() for name, p in named if p.requires_grad}


@pytest.fixture(scope="module")
def before(model: ModelRef, tmp_path_factory: pytest.TempPathFactory) -> AdapterRef:
    """An adapter of a first round, which is what later ones are held against."""
    backbone = open_backbone(model, torch.device("cpu"))
    _train(backbone, "pair", AdapterRef(None))
    folder = tmp_path_factory.mktemp("before")
    save(backbone, folder, _settings(ROWS["pair"][0]), {"round": 1})
    return AdapterRef(str(folder), "before", 1)


@pytest.mark.parametrize("kind", ROWS)
def test_a_resumed_run_keeps_its_reference(
    kind: str, model: ModelRef, before: AdapterRef, tmp_path: Path
) -> None:
    """Bit for bit: the reference is the adapter before, never the weights of the checkpoint."""
    whole, stopped, resumed = (open_backbone(model, torch.device("cpu")) for _ in range(3))
    expected = _train(whole, kind, before)
    checkpoint = Checkpoint(tmp_path / "state.pt", "k", every=0.0)
    _train(stopped, kind, before, checkpoint, steps=2)
    assert checkpoint.path.exists()
    assert _train(resumed, kind, before, checkpoint) == expected
    for name, weights in _weights(whole).items():
        torch.testing.assert_close(_weights(resumed)[name], weights, atol=0, rtol=0)


def test_a_run_that_goes_on_starts_at_its_reference(model: ModelRef, before: AdapterRef) -> None:
    """log 2 again: the reference of a second round is the first round's adapter, not the base."""
    backbone = open_backbone(model, torch.device("cpu"))
    first, *_ = _train(backbone, "pair", before)
    assert first.loss == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize("kind", ROWS)
def test_accumulation_changes_neither_loss_nor_gradient(
    kind: str, model: ModelRef, before: AdapterRef
) -> None:
    """Also where a step has a mean of its own, such as the KL of Diffusion-KTO."""
    whole, parts = (open_backbone(model, torch.device("cpu")) for _ in range(2))
    pairs = zip(_train(whole, kind, before), _train(parts, kind, before, micro=1), strict=True)
    for one, other in pairs:
        assert other.loss == pytest.approx(one.loss, rel=1e-4)
        assert other.grad_norm == pytest.approx(one.grad_norm, rel=1e-3)
