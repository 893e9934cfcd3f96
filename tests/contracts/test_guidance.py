"""One set of laws for every inference-time method, on every model family that it is defined for."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import pytest
import torch
from pydantic import BaseModel, TypeAdapter

from mitune.backbones import ModelRef, open_backbone
from mitune.backbones.base import Backbone
from mitune.diffusion.denoiser import Condition
from mitune.diffusion.sampling import build_scheduler
from mitune.errors import UserError
from mitune.estimators import PathScore
from mitune.guidance import (
    AttendAndExcite,
    ClassifierFree,
    Guidance,
    GuidanceConfig,
    SemanticAware,
    StructuredDiffusion,
)
from tests.contracts.tiny import build, noise_of, sampler_of, trajectory

PROMPTS = ["a red circle and a blue square", "two stars", "red"]
SEVEN = [*PROMPTS, "a dotted square left of a cross", "three red stars", "", "a big green triangle"]
SCALE, STEPS = 3.0, 4


@dataclass(frozen=True)
class Method:
    """Settings under which it does something, and nothing; families that it refuses, and why."""

    on: Guidance
    off: Guidance
    refused: tuple[str, ...] = ()
    reason: str = ""
    at_most: bool = False  # whether its evaluations are a bound


PLAIN = ClassifierFree(scale=SCALE)
METHODS = {
    "classifier_free": Method(on=PLAIN, off=PLAIN),
    "attend_and_excite": Method(
        on=AttendAndExcite(over=PLAIN, parser="miniature"),
        off=AttendAndExcite(over=PLAIN, parser="miniature", altered=0, thresholds=()),
        refused=("sd3",),
        reason="attends to texts and image jointly",
        at_most=True,
    ),
    "structured_diffusion": Method(
        on=StructuredDiffusion(over=PLAIN, parser="miniature"),
        off=StructuredDiffusion(over=PLAIN, parser="miniature", min_words=100),
        refused=("sd3",),
        reason="attends to texts and image jointly",
    ),
    "structured_diffusion, conjunction": Method(
        on=StructuredDiffusion(over=PLAIN, parser="miniature", conjunction=True),
        off=StructuredDiffusion(over=PLAIN, parser="miniature", conjunction=True, min_words=100),
        refused=("sd3",),
        reason="attends to texts and image jointly",
    ),
    "s_cfg": Method(
        on=SemanticAware(scale=SCALE),
        off=SemanticAware(scale=SCALE, rates=(1, 1)),
        refused=("sd3",),
        reason="attends to texts and image jointly",
    ),
}


FAMILIES = ("sd", "sd-v", "sdxl", "sd3")


def pairs(refused: bool) -> pytest.MarkDecorator:
    """Every family with every method that it has, or that it refuses."""
    chosen = [
        (family, name)
        for family in FAMILIES
        for name, method in METHODS.items()
        if (family in method.refused) == refused
    ]
    return pytest.mark.parametrize(("backbone", "method"), chosen, indirect=True)


@pytest.fixture(scope="module")
def backbone(request, tmp_path_factory) -> Backbone:
    path = tmp_path_factory.mktemp(request.param)
    build(request.param).save_pretrained(path)
    return open_backbone(ModelRef(str(path), request.param), torch.device("cpu"))


@pytest.fixture
def method(request) -> Method:
    return METHODS[request.param]


def final(
    backbone: Backbone, guidance: Guidance, prompts: Sequence[str] = PROMPTS, first: int = 0
) -> torch.Tensor:
    noise = noise_of(backbone, len(prompts), first).to(backbone.pipeline.dtype)
    *_, last = trajectory(backbone, noise, prompts, guidance, STEPS)
    return last.z_next


@torch.no_grad()
def plain(backbone: Backbone) -> torch.Tensor:
    """Classifier-free guidance, written out on the network's raw outputs."""
    scheduler = copy.deepcopy(build_scheduler(sampler_of(backbone), backbone.pipeline.scheduler))
    scheduler.set_timesteps(STEPS)
    latent = noise_of(backbone, 3)
    texts = backbone.encode_prompts([""]).expand(3), backbone.encode_prompts(PROMPTS)
    for t in scheduler.timesteps:
        both = backbone.denoiser.predict(
            torch.cat([latent, latent]), t.expand(6), Condition.cat(texts)
        )
        null, conditional = both.raw.chunk(2)
        output = null + SCALE * (conditional - null)
        latent = scheduler.step(output, t, latent, return_dict=False)[0]
    return latent


def test_every_registered_method_is_in_the_table() -> None:
    methods = get_args(get_args(GuidanceConfig)[0]) or (get_args(GuidanceConfig)[0],)
    named = {name.partition(",")[0] for name in METHODS}
    assert {m.model_fields["kind"].default for m in methods} == named
    for name, method in METHODS.items():
        for settings in (method.on, method.off):
            assert isinstance(settings, BaseModel) and settings.model_config["frozen"]
            restored = TypeAdapter(GuidanceConfig).validate_python(settings.model_dump())
            assert restored == settings and restored.kind == name.partition(",")[0]


@pairs(refused=False)
def test_switched_off_it_is_bitwise_plain_sampling(backbone: Backbone, method: Method) -> None:
    assert torch.equal(final(backbone, method.off), plain(backbone))


@pairs(refused=False)
def test_batch_neighbours_do_not_matter(backbone: Backbone, method: Method) -> None:
    """In double precision: a region is an argmax, which a rounding may turn over."""
    exact = open_backbone(backbone.ref, torch.device("cpu"))
    exact.pipeline.to(torch.float64)
    together = final(exact, method.on, SEVEN)
    for i in (0, 3, 6):
        alone = final(exact, method.on, SEVEN[i : i + 1], first=i)
        torch.testing.assert_close(together[i : i + 1], alone, rtol=0, atol=1e-6)


@pairs(refused=False)
def test_information_is_that_of_the_plain_network_where_the_method_goes(
    backbone: Backbone, method: Method
) -> None:
    """Both unguided branches at every latent, and the path score that is made of them."""
    texts = backbone.encode_prompts(PROMPTS), backbone.encode_prompts([""]).expand(3)
    steps = list(trajectory(backbone, noise_of(backbone, 3), PROMPTS, method.on, STEPS))
    times = torch.tensor([step.t for step in steps], dtype=torch.float64)
    score, path = PathScore(), backbone.denoiser.path
    nats = torch.zeros(3)
    for step, weight in zip(steps, score.weights_for(path, times), strict=True):
        pair = step.guided.conditional, step.guided.unconditional
        t, plain_eps = torch.full((3,), step.t), []
        for found, condition in zip(pair, texts, strict=True):
            with torch.no_grad():
                expected = backbone.denoiser.predict(step.guided.z_t, t, condition)
            assert torch.equal(found.z_t, step.guided.z_t)
            torch.testing.assert_close(found.raw, expected.raw, rtol=1e-4, atol=1e-5)
            plain_eps.append(expected.eps)
        nats += weight.float() * (plain_eps[0] - plain_eps[1]).square().sum(dim=(1, 2, 3))
    assert (nats > 0).all()
    torch.testing.assert_close(score.fold(path, steps).score.float(), nats, rtol=1e-2, atol=1e-6)


@pairs(refused=False)
def test_the_scale_is_that_of_the_difference(backbone: Backbone, method: Method) -> None:
    """At 0 what it makes is unconditional; `at_scale` changes nothing else."""
    assert method.on.at_scale(SCALE) == method.on != method.on.at_scale(0.0)
    for step in trajectory(
        backbone, noise_of(backbone, 3), PROMPTS, method.on.at_scale(0.0), STEPS
    ):
        assert torch.equal(step.guided.guided.raw, step.guided.unconditional.raw)


@pairs(refused=False)
def test_evaluations_are_counted(backbone: Backbone, method: Method) -> None:
    """`kedro cost` and the report read what it says: rows that go through the network."""
    rows = []
    counter = backbone.network.register_forward_pre_hook(lambda _, args: rows.append(len(args[0])))
    final(backbone, method.on)
    counter.remove()
    seen, said = sum(rows) / 3, method.on.evaluations(STEPS)
    assert 2 * STEPS <= seen <= said if method.at_most else seen == said


@pairs(refused=False)
def test_the_model_is_left_as_it_was(backbone: Backbone, method: Method) -> None:
    before = {name: value.clone() for name, value in backbone.network.state_dict().items()}
    *_, _ = trajectory(backbone, noise_of(backbone, 3), PROMPTS, method.on, STEPS)
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in backbone.network.modules()]
    after = backbone.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert sum(hooks) == len(backbone.last_layers)  # a backbone's own
    assert all(p.grad is None for p in backbone.network.parameters())


@pairs(refused=True)
def test_a_family_is_refused_with_the_reason(backbone: Backbone, method: Method) -> None:
    with pytest.raises(UserError, match=method.reason):
        final(backbone, method.on)
    assert method.on.reads_attention
