"""Conditions, classifier-free guidance and its registry."""

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from mitune.backbones.gaussian import isotropic
from mitune.diffusion.denoiser import Condition
from mitune.diffusion.noise import DiscretePath, RectifiedFlowPath
from mitune.guidance import ClassifierFree, GuidanceConfig

KINDS = ["epsilon", "sample", "v_prediction", "flow"]


def batch(n):
    return Condition({"text": torch.arange(2.0 * n).view(n, 2), "mask": torch.arange(n) > 0})


def test_condition_is_a_batch():
    condition = batch(3)
    assert len(condition) == 3
    assert torch.equal(condition[1:].tensors["text"], condition.tensors["text"][1:])
    assert torch.equal(condition[[2, 0]].tensors["text"], condition.tensors["text"][[2, 0]])
    mask = torch.tensor([True, False, True])
    assert len(condition[mask]) == 2
    joined = Condition.cat([condition, condition[:1]])
    assert joined.tensors["mask"].tolist() == [False, True, True, False]
    assert condition.repeat_interleave(2).tensors["mask"].tolist() == [False] * 2 + [True] * 4
    assert len(condition[:1].expand(5)) == 5
    half = condition.to(dtype=torch.float16)
    assert half.tensors["text"].dtype == torch.float16
    assert half.tensors["mask"].dtype == torch.bool


def test_condition_errors():
    with pytest.raises(ValueError, match="batch size"):
        Condition({"a": torch.ones(2), "b": torch.ones(3)})
    with pytest.raises(ValueError, match="batch size"):
        Condition({})
    with pytest.raises(ValueError, match="cannot expand a batch of 2 to 3"):
        batch(2).expand(3)
    with pytest.raises(ValueError, match="different tensors"):
        Condition.cat([batch(1), Condition({"text": torch.ones(1, 2)})])
    with pytest.raises(TypeError, match="1:2"):
        batch(2)[1]


class Counting:
    """A real denoiser that notes the sizes of the batches it is asked for."""

    def __init__(self, inner):
        self.inner, self.path, self.sizes = inner, inner.path, []

    def predict(self, z_t, t, condition):
        self.sizes.append(len(z_t))
        return self.inner.predict(z_t, t, condition)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", [DiscretePath.scaled_linear(), RectifiedFlowPath()])
def test_classifier_free_combines_noise_in_any_parametrisation(kind, path):
    generator = torch.Generator().manual_seed(0)
    plain = isotropic(4, 0.5, path)
    backbone = Counting(isotropic(4, 0.5, path, kind))
    z_t, y = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64)
    t = torch.tensor([100, 500, 900])
    condition, null = backbone.inner.condition(y), backbone.inner.null()
    out = ClassifierFree(scale=3.0)(backbone, z_t, t, condition, null)

    assert backbone.sizes == [6]
    eps_c = plain.predict(z_t, t, condition).eps
    eps_u = plain.predict(z_t, t, null.expand(3)).eps
    torch.testing.assert_close(out.conditional.eps, eps_c)
    torch.testing.assert_close(out.unconditional.eps, eps_u)
    torch.testing.assert_close(out.guided.eps, eps_u + 3 * (eps_c - eps_u))


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_classifier_free_evaluates_both_halves_at_any_scale(scale):
    backbone = Counting(isotropic(4, 0.5, DiscretePath.scaled_linear()))
    z_t = torch.ones(2, 4, dtype=torch.float64)
    y, t = torch.ones(2, 4), torch.tensor([500, 500])
    out = ClassifierFree(scale=scale)(
        backbone, z_t, t, backbone.inner.condition(y), backbone.inner.null()
    )
    assert backbone.sizes == [4]
    branch = out.conditional if scale else out.unconditional
    torch.testing.assert_close(out.guided.eps, branch.eps)
    assert not torch.allclose(out.conditional.eps, out.unconditional.eps)


def test_registry_refuses_misspelt_names_and_fields():
    registry = TypeAdapter(GuidanceConfig)
    chosen = registry.validate_python({"kind": "classifier_free", "scale": 2})
    assert chosen == ClassifierFree(scale=2.0)
    for wrong in ({"kind": "clasifier_free"}, {"kind": "classifier_free", "scales": 2}):
        with pytest.raises(ValidationError):
            registry.validate_python(wrong)
