"""Losses and gradients computed elsewhere, in float64; they lie outside the repository."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from mitune.diffusion.denoiser import Condition
from mitune.diffusion.noise import DiscretePath, NoisePath, coefficients
from mitune.diffusion.prediction import Prediction
from mitune.objectives import Draws
from mitune.objectives.rows import Captions
from tests.conftest import ROOT

_PATHS = [
    path
    for folder in ROOT.parents
    if (path := folder / "shared/data/golden_objectives.json").exists()
]
NEEDS_GOLDEN = pytest.mark.skipif(not _PATHS, reason="golden_objectives.json is not at hand")


@dataclass(frozen=True, eq=False)
class Tabulated:
    """A denoiser that knows the noise it predicts, (P, N), by the number of the prompt."""

    predictions: Tensor

    @property
    def path(self) -> NoisePath:
        return DiscretePath.scaled_linear()

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        eps = self.predictions[condition.tensors["number"]]
        return Prediction(eps, "epsilon", z_t, *coefficients(self.path, t, z_t))


@dataclass(frozen=True)
class GoldenCase:
    """Predictions (B, N), and what one method makes of them."""

    given: dict[str, Tensor]
    hyper: dict[str, Any]
    expected: dict[str, Tensor]

    @property
    def size(self) -> int:
        return len(self.given["eps"])

    @property
    def latents(self) -> Tensor:
        """Any: an error is that of the noise."""
        return torch.zeros_like(self.given["eps"])

    @property
    def draws(self) -> Draws:
        return Draws(torch.full((self.size,), 500), self.given["eps"])

    def model(self, name: str) -> Tabulated:
        """It predicts `name`_w under the first B prompts, `name`_l under the others."""
        return Tabulated(torch.cat([self.given[f"{name}_w"], self.given[f"{name}_l"]]))

    def captions(self, first: int = 0) -> Captions:
        """B prompts from the given one on; the empty one comes after 2 B."""
        encoded = Condition({"number": torch.arange(2 * self.size + 1)})
        return Captions(encoded, torch.arange(first, first + self.size))

    def errors(self) -> tuple[Tensor, Tensor]:
        """(2, B) of winners and losers, the trained model's and the reference's."""
        tuned, reference = (self.residuals(name).square().mean(2) for name in ("theta", "ref"))
        return tuned, reference

    def residuals(self, name: str) -> Tensor:
        """(2, B, N) of the model `name`, winners and losers."""
        return torch.stack([self.given[f"{name}_{role}"] - self.given["eps"] for role in "wl"])

    def check(self, losses: Tensor) -> None:
        """`losses` (B,), and the gradients of their mean where there are any."""
        _same(losses, self.expected["loss"])
        for name in ("theta_w", "theta_l"):
            if f"grad_{name}" not in self.expected:
                continue
            (found,) = torch.autograd.grad(
                losses.mean(), self.given[name], retain_graph=True, allow_unused=True
            )
            expected = self.expected[f"grad_{name}"]
            _same(torch.zeros_like(expected) if found is None else found, expected)


def cases(method: str) -> Iterator[GoldenCase]:
    """Every case of one method."""
    for case in json.loads(_PATHS[0].read_text())["cases"]:
        given = {k: torch.tensor(v, dtype=torch.float64) for k, v in case["inputs"].items()}
        for name in ("theta_w", "theta_l"):
            given[name].requires_grad_()
        wanted = case["expected"][method]
        expected = {
            k: torch.tensor(v, dtype=torch.float64)
            for k, v in wanted.items()
            if k == "loss" or k.startswith("grad")
        }
        yield GoldenCase(given, wanted.get("hyper", {}), expected)


def _same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
