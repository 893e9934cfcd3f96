"""Classifier-free guidance and the registry."""

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from mitune.backbones.gaussian import isotropic
from mitune.diffusion.noise import DiscretePath, RectifiedFlowPath
from mitune.guidance import AttendAndExcite, ClassifierFree, GuidanceConfig, SemanticAware

KINDS = ["epsilon", "sample", "v_prediction", "flow"]


class Counting:
    """A real denoiser that notes the sizes of the batches it is asked for."""

    def __init__(self, inner):
        self.inner, self.path, self.sizes = inner, inner.path, []
        self.denoiser = self

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
    guiding = ClassifierFree(scale=3.0).start(backbone, ["", "", ""], condition, null, 1)
    out = guiding(0, z_t, t)

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
    texts = backbone.inner.condition(y), backbone.inner.null()
    out = ClassifierFree(scale=scale).start(backbone, ["", ""], *texts, 1)(0, z_t, t)
    assert backbone.sizes == [4]
    branch = out.conditional if scale else out.unconditional
    torch.testing.assert_close(out.guided.eps, branch.eps)
    assert not torch.allclose(out.conditional.eps, out.unconditional.eps)


def test_images_without_a_score_need_one_branch_at_scale_one():
    backbone = Counting(isotropic(4, 0.5, DiscretePath.scaled_linear()))
    z_t = torch.ones(2, 4, dtype=torch.float64)
    y, t = torch.ones(2, 4), torch.tensor([500, 500])
    texts = backbone.inner.condition(y), backbone.inner.null()
    both = ClassifierFree(scale=1.0)
    alone = both.without_pair.start(backbone, ["", ""], *texts, 1)(0, z_t, t)
    assert backbone.sizes == [2]
    torch.testing.assert_close(
        alone.guided.eps, both.start(backbone, ["", ""], *texts, 1)(0, z_t, t).guided.eps
    )
    assert alone.unconditional.eps.isnan().all()
    assert (both.without_pair.evaluations(7), both.evaluations(7)) == (7, 14)
    for guidance in (
        ClassifierFree(scale=1.5),
        SemanticAware(scale=1.0),
        AttendAndExcite(over=both),
    ):
        assert guidance.without_pair is guidance


def test_registry_refuses_misspelt_names_and_fields():
    registry = TypeAdapter(GuidanceConfig)
    chosen = registry.validate_python({"kind": "classifier_free", "scale": 2})
    assert chosen == ClassifierFree(scale=2.0)
    for wrong in ({"kind": "clasifier_free"}, {"kind": "classifier_free", "scales": 2}):
        with pytest.raises(ValidationError):
            registry.validate_python(wrong)


def test_a_scale_beside_the_kind_is_that_of_what_is_wrapped():
    """As when an environment changes `kind` alone, and the base's `scale` stays."""
    registry = TypeAdapter(GuidanceConfig)
    short = registry.validate_python({"kind": "attend_and_excite", "scale": 2})
    assert short.underneath == ClassifierFree(scale=2.0)
    assert short.at_scale(3.0) == AttendAndExcite(over=ClassifierFree(scale=3.0))
    both = {"kind": "attend_and_excite", "scale": 2, "over": {"kind": "s_cfg", "scale": 3}}
    with pytest.raises(ValidationError, match=r"scale is 2 and over\.scale is 3.*: give one"):
        registry.validate_python(both)
