"""The exact backbones are judged first: by brute force, and by the published table."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from mitune.backbones.gaussian import GaussianBackbone, isotropic
from mitune.backbones.gaussian_mixture import ring
from mitune.diffusion.noise import DiscretePath, RectifiedFlowPath

PATHS = [DiscretePath.scaled_linear(), RectifiedFlowPath()]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_backbone(path, kind="epsilon"):
    matrix = torch.randn(6, 3, generator=seeded(), dtype=torch.float64)
    return GaussianBackbone(matrix, 0.7, path, kind, (3, 2))


def laws(backbone, y):
    d = len(backbone.matrix)
    eye = torch.eye(d, dtype=torch.float64)
    conditional = MultivariateNormal(y @ backbone.matrix.T, backbone.scale**2 * eye)
    covariance = backbone.matrix @ backbone.matrix.T + backbone.scale**2 * eye
    return conditional, MultivariateNormal(torch.zeros(d, dtype=torch.float64), covariance)


def test_information_equals_torch_distributions():
    backbone = random_backbone(PATHS[0])
    y = torch.randn(5, 3, generator=seeded(1), dtype=torch.float64)
    x = backbone.sample(y, seeded(2))
    conditional, marginal = laws(backbone, y)
    flat = x.flatten(1)
    expected = conditional.log_prob(flat) - marginal.log_prob(flat)
    torch.testing.assert_close(backbone.log_ratio(x, y), expected)
    torch.testing.assert_close(
        backbone.kl(y), torch.distributions.kl_divergence(conditional, marginal)
    )
    many = torch.randn(100_000, 3, generator=seeded(3), dtype=torch.float64)
    assert backbone.kl(many).mean().item() == pytest.approx(backbone.mutual_information(), rel=0.01)


@pytest.mark.parametrize("path", PATHS, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction", "flow"])
def test_noise_prediction_is_the_score(path, kind):
    """eps = -sigma grad log p_t(z), by autograd on the noised laws."""
    backbone = random_backbone(path, kind)
    y = torch.randn(4, 3, generator=seeded(1), dtype=torch.float64)
    z = torch.randn(4, 3, 2, generator=seeded(2), dtype=torch.float64)
    for t in (1.0, 300.0, 980.0):
        time = torch.full((4,), t, dtype=torch.float64)
        alpha, sigma = path.alpha(time)[0], path.sigma(time)[0]
        eye = torch.eye(6, dtype=torch.float64)
        for law, condition in zip(
            laws(backbone, y), (backbone.condition(y), backbone.null(4)), strict=True
        ):
            flat = z.flatten(1).requires_grad_()
            covariance = alpha**2 * law.covariance_matrix + sigma**2 * eye
            noised = MultivariateNormal(alpha * law.mean, covariance)
            (score,) = torch.autograd.grad(noised.log_prob(flat).sum(), flat)
            prediction = backbone.predict(z, time, condition)
            torch.testing.assert_close(prediction.eps, (-sigma * score).view_as(z))
            torch.testing.assert_close(alpha * prediction.x0 + sigma * prediction.eps, z)


def test_flow_is_defined_at_pure_noise():
    backbone = random_backbone(PATHS[1], "flow")
    z = torch.randn(2, 3, 2, generator=seeded())
    prediction = backbone.predict(z, torch.tensor([1000.0, 1000.0]), backbone.null(2))
    assert prediction.raw.dtype == torch.float32
    torch.testing.assert_close(prediction.raw, z)


def test_condition_rows_are_their_own():
    backbone = random_backbone(PATHS[0])
    y = torch.randn(2, 3, generator=seeded(), dtype=torch.float64)
    z = torch.randn(2, 3, 2, generator=seeded(1), dtype=torch.float64)
    t = torch.tensor([20, 700])
    both = backbone.predict(z, t, backbone.condition(y)).eps
    for i in (0, 1):
        alone = backbone.predict(z[i : i + 1], t[i : i + 1], backbone.condition(y[i : i + 1])).eps
        torch.testing.assert_close(both[i : i + 1], alone)


@pytest.mark.parametrize(("scale", "kl"), [(1.0, 0.3466), (0.5, 0.8047), (0.1, 2.3076)])
def test_published_kl(scale, kl):
    y = torch.ones(1, 1)
    assert isotropic(1, scale, PATHS[0]).kl(y).item() == pytest.approx(kl, abs=5e-5)


@pytest.mark.parametrize("path", PATHS, ids=lambda p: type(p).__name__)
def test_mixture_noise_prediction_is_the_score(path):
    backbone = ring(8, 1.0, 0.4, path)
    condition = backbone.condition(torch.tensor([0, 3]), leak=0.3)
    z = torch.randn(2, 2, generator=seeded(), dtype=torch.float64, requires_grad=True)
    for t in (50.0, 600.0):
        time = torch.full((2,), t, dtype=torch.float64)
        alpha, sigma = path.alpha(time)[0], path.sigma(time)[0]
        components = MultivariateNormal(
            (alpha * backbone.means).expand(2, 8, 2),
            (alpha**2 * 0.16 + sigma**2) * torch.eye(2, dtype=torch.float64),
        )
        logits = torch.distributions.Categorical(condition.tensors["weights"])
        law = torch.distributions.MixtureSameFamily(logits, components)
        (score,) = torch.autograd.grad(law.log_prob(z).sum(), z)
        prediction = backbone.predict(z.detach(), time, condition)
        torch.testing.assert_close(prediction.eps, -sigma * score)
        torch.testing.assert_close(alpha * prediction.x0 + sigma * prediction.eps, z.detach())


def test_mixture_weights_and_ratio():
    backbone = ring(8, 1.0, 0.2, PATHS[1])
    sharp = backbone.condition(torch.tensor([2]))
    assert sharp.tensors["weights"].tolist() == [[0, 0, 1, 0, 0, 0, 0, 0]]
    x = backbone.means[2:3]
    assert backbone.log_ratio(x, sharp).item() == pytest.approx(math.log(8), abs=1e-2)
    assert torch.equal(backbone.log_ratio(x, backbone.null()), torch.zeros(1).double())
    assert backbone.classify(backbone.means + 0.1).tolist() == list(range(8))


def test_errors():
    with pytest.raises(ValueError, match="scale"):
        isotropic(2, 0.0, PATHS[0])
    with pytest.raises(ValueError, match="does not hold 4"):
        isotropic(4, 1.0, PATHS[0], shape=(3, 2))
