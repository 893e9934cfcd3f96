"""Losses of pairs and their gradients that were computed independently, in float64."""

import json
from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor

from tests.conftest import ROOT

_PLACES = [folder / "shared/data/golden_objectives.json" for folder in ROOT.parents]
_FILE = next((place for place in _PLACES if place.exists()), None)

needs_golden = pytest.mark.skipif(_FILE is None, reason="golden_objectives.json is not at hand")


def check_golden(
    name: str,
    losses: Callable[[Mapping[str, float], Mapping[str, Tensor]], Tensor],
    inputs: tuple[str, ...] = ("theta_w", "theta_l"),
) -> None:
    """`losses(hyper, given)` of every case, and the gradients of their mean, to 1e-9.

    The file has no gradients of some methods.
    """
    assert _FILE is not None
    for case in json.loads(_FILE.read_text())["cases"]:
        given = {k: torch.tensor(v, dtype=torch.float64) for k, v in case["inputs"].items()}
        leaves = [given[key].requires_grad_() for key in inputs]
        wanted = case["expected"][name]
        found = losses(wanted["hyper"], given)
        pairs = [(found, "loss")]
        for leaf, key in zip(leaves, inputs, strict=True):
            (gradient,) = torch.autograd.grad(
                found.mean(), leaf, retain_graph=True, allow_unused=True
            )
            pairs.append((torch.zeros_like(leaf) if gradient is None else gradient, f"grad_{key}"))
        for value, key in pairs if f"grad_{inputs[0]}" in wanted else pairs[:1]:
            expected = torch.tensor(wanted[key], dtype=torch.float64)
            torch.testing.assert_close(value, expected, rtol=1e-9, atol=1e-9)


def residuals_of(given: Mapping[str, Tensor], model: str) -> Tensor:
    """(2, B, N) of `theta` or `ref`, winners and losers."""
    return torch.stack([given[f"{model}_{role}"] - given["eps"] for role in "wl"])
