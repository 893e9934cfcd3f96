"""Every representation from every other one, and the identities between their differences."""

from itertools import permutations
from typing import get_args

import pytest
import torch

from mitune.diffusion.noise import DiscretePath, RectifiedFlowPath, coefficients
from mitune.diffusion.prediction import Prediction, PredictionKind

KINDS = get_args(PredictionKind)
PATHS = [DiscretePath.scaled_linear(), RectifiedFlowPath()]


def truth(path, dtype=torch.float64):
    x0, eps = torch.randn(2, 3, 4, 2, 2, generator=torch.Generator().manual_seed(1), dtype=dtype)
    alpha, sigma = coefficients(path, torch.tensor([30, 400, 960]), x0)
    return x0, eps, alpha * x0 + sigma * eps, alpha, sigma


@pytest.mark.parametrize("path", PATHS, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_yields_every_representation(path, kind):
    x0, eps, z_t, alpha, sigma = truth(path)
    prediction = Prediction.from_pair(eps, x0, z_t, alpha, sigma, kind)
    assert prediction.kind == kind
    torch.testing.assert_close(prediction.eps, eps)
    torch.testing.assert_close(prediction.x0, x0)
    torch.testing.assert_close(prediction.to_kind("v_prediction").raw, alpha * eps - sigma * x0)
    torch.testing.assert_close(prediction.flow, eps - x0)


@pytest.mark.parametrize(("first", "second"), list(permutations(KINDS, 2)))
def test_conversion_round_trips(first, second):
    x0, eps, z_t, alpha, sigma = truth(PATHS[0])
    start = Prediction.from_pair(eps, x0, z_t, alpha, sigma, first)
    torch.testing.assert_close(start.to_kind(second).to_kind(first).raw, start.raw)
    assert start.to_kind(first) is start


def test_differences_convert_as_published():
    """|d eps|^2 = abar |d v|^2 and (1 - sigma)^2 |d flow|^2 (methods 1.1; test 6)."""
    for path, kind in zip(PATHS, ("v_prediction", "flow"), strict=True):
        _, eps, z_t, alpha, sigma = truth(path, torch.float32)
        other = eps + 0.3 * eps.flip(0)
        a, b = (Prediction(e, "epsilon", z_t, alpha, sigma) for e in (eps, other))
        by_eps = ((a.eps - b.eps) ** 2).flatten(1).sum(1)
        by_velocity = ((a.to_kind(kind).raw - b.to_kind(kind).raw) ** 2).flatten(1).sum(1)
        torch.testing.assert_close(by_eps, alpha.flatten() ** 2 * by_velocity, rtol=2e-4, atol=1e-4)


def test_velocities_are_exact_at_pure_noise():
    """At alpha = 0 a flow or v network still defines x0, where eps alone cannot."""
    x0, z_t = torch.ones(1, 2), torch.full((1, 2), 0.5)
    zero, one = torch.zeros(1, 1), torch.ones(1, 1)
    for kind in ("flow", "v_prediction"):
        prediction = Prediction.from_pair(z_t, x0, z_t, zero, one, kind)
        assert torch.equal(prediction.x0, x0)
        assert torch.equal(prediction.eps, z_t)


def test_rows_keep_their_coefficients():
    x0, eps, z_t, alpha, sigma = truth(PATHS[0])
    whole = Prediction.from_pair(eps, x0, z_t, alpha, sigma, "v_prediction")
    assert torch.equal(whole[1:].x0, whole.x0[1:])
    scalar = Prediction(eps, "epsilon", z_t, alpha[0, 0, 0, 0], sigma[0, 0, 0, 0])
    assert torch.equal(scalar[1:].x0, scalar.x0[1:])


def test_half_precision_output_is_converted_in_float32():
    _, eps, z_t, alpha, sigma = truth(PATHS[0], torch.float32)
    assert (
        Prediction(eps.half(), "v_prediction", z_t.half(), alpha, sigma).eps.dtype == torch.float32
    )


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="'eps' is not one of epsilon"):
        Prediction(torch.ones(1), "eps", torch.ones(1), torch.ones(1), torch.ones(1))
