"""Losses on pairs train a real adapter, the same in parts as at once."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import Accelerator

from mitune.backbones import AdapterRef, ModelRef, open_backbone
from mitune.objectives import Objective
from mitune.objectives.diff_contrast import DiffContrast
from mitune.objectives.dspo import DSPO
from mitune.objectives.dspo_ref import DSPORef
from mitune.objectives.mapo import MaPO
from mitune.training.adapters import AdapterSettings
from mitune.training.checkpoint import TrainingStep
from mitune.training.finetuning import Finetuning, finetune
from mitune.training.optimisation import Optimisation
from tests.objectives.gaussian_policy import features


def _table() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        [
            {
                "example": number,
                "role": role,
                "prompt": "a red circle",
                "latent": (spread * generator.normal(size=512)).astype(np.float16).tobytes(),
                "image_features": features(f"{role} {number}"),
                "prompt_features": features("a red circle"),
            }
            for number in range(4)
            for role, spread in (("winner", 0.5), ("loser", 2.0))
        ]
    )
    table.attrs = {"latent_shape": [8, 8, 8]}
    return table


def _train(model: ModelRef, objective: Objective, at_once: int) -> list[TrainingStep]:
    settings = Finetuning(
        objective=objective,
        adapter=AdapterSettings(kind="lora", rank=4, alpha=4),
        optimisation=Optimisation(
            steps=6, batch_size=4, micro_batch_size=at_once, learning_rate=3e-3
        ),
    )
    backbone = open_backbone(model, torch.device("cpu"))
    return list(finetune(backbone, _table(), settings, AdapterRef(None), Accelerator(cpu=True)))


@pytest.mark.parametrize(
    ("objective", "first"),
    [
        (DSPO(lam=0.5), None),
        (DSPORef(beta=100.0), 0.25),
        (DiffContrast(beta=100.0, contrast=2), math.log(2)),
        (MaPO(), None),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_an_adapter_learns(model: ModelRef, objective: Objective, first: float | None) -> None:
    whole, parts = (_train(model, objective, at_once) for at_once in (4, 2))
    losses = [step.loss for step in whole]
    if first is not None:
        assert losses[0] == pytest.approx(first, abs=1e-6)
    assert np.mean(losses[-2:]) < 0.97 * losses[0]
    for one, other in zip(whole, parts, strict=True):
        assert other.loss == pytest.approx(one.loss, rel=1e-3)
        assert other.grad_norm == pytest.approx(one.grad_norm, rel=1e-3)
