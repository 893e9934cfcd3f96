"""A trainable model with a reference, in closed form: exact noise plus a linear map of z_t."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn

from mitune.backbones.gaussian import GaussianBackbone, isotropic
from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.diffusion.noise import DiscretePath, NoisePath
from mitune.diffusion.prediction import Prediction, PredictionKind
from mitune.objectives.rows import Rows, Trajectory
from mitune.training.policy import AdapterPolicy, FrozenDenoiser

SIZE = 4
PROMPTS = ("a red star", "a blue star", "two stars")


@dataclass(frozen=True, eq=False)
class ShiftedGaussian:
    exact: GaussianBackbone
    shift: nn.Linear

    @property
    def path(self) -> NoisePath:
        return self.exact.path

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        found = self.exact.predict(z_t, t, condition)
        eps = found.eps + self.shift(z_t.double())
        x0 = (z_t - found.sigma * eps) / found.alpha
        return Prediction.from_pair(eps, x0, z_t, found.alpha, found.sigma, self.exact.kind)


def gaussian(kind: PredictionKind = "epsilon") -> GaussianBackbone:
    return isotropic(SIZE, 0.5, DiscretePath.scaled_linear(), kind)


def denoiser(seed: int, kind: PredictionKind = "epsilon", scale: float = 0.02) -> ShiftedGaussian:
    torch.manual_seed(seed)
    shift = nn.Linear(SIZE, SIZE, bias=False, dtype=torch.float64)
    nn.init.normal_(shift.weight, std=scale)
    return ShiftedGaussian(gaussian(kind), shift)


def policy_of(trained: Denoiser, before: Denoiser, modules: nn.ModuleDict | None = None):
    return AdapterPolicy(trained, FrozenDenoiser(before, nullcontext), modules or nn.ModuleDict())


def features(text: str) -> bytes:
    """A vector of its own for every text, as tables have it."""
    generator = torch.Generator().manual_seed(zlib.crc32(text.encode()))
    return torch.randn(6, generator=generator).numpy().tobytes()


def encode(texts: Sequence[str]) -> Condition:
    y = [
        torch.randn(SIZE, generator=torch.Generator().manual_seed(zlib.crc32(text.encode())))
        for text in texts
    ]
    return gaussian().condition(torch.stack(y))


def table_of(roles: Sequence[str], examples: int) -> pd.DataFrame:
    """Every role of every example; labels alternate, features are of the texts alone."""
    return pd.DataFrame(
        [
            {
                "example": f"e{number}",
                "role": role,
                "prompt": PROMPTS[number % len(PROMPTS)],
                "label": number % 2,
                "weight": 1 + number / 10,
                "image_features": features(f"{role} {number}"),
                "prompt_features": features(PROMPTS[number % len(PROMPTS)]),
            }
            for number in range(examples)
            for role in roles
        ]
    )


def rows_of(kind: type[Rows], examples: int) -> Rows:
    """Rows of any kind that latents are read into; trajectories of three transitions."""
    table = table_of(kind.roles or ("0", "1", "2", "3"), examples)
    if kind is Trajectory:
        table = table.assign(t=[800.0, 500.0, 200.0, 0.0] * examples, log_prob=-0.5)
    generator = torch.Generator().manual_seed(3)
    latents = torch.randn(len(table), SIZE, generator=generator, dtype=torch.float64)
    return kind.read(table, latents, encode)
