"""Sampling against diffusers' own loops on identical noise."""

import copy

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)

from mitune.backbones.gaussian import isotropic
from mitune.diffusion.denoiser import Condition
from mitune.diffusion.noise import DiscretePath, RectifiedFlowPath, coefficients
from mitune.diffusion.prediction import Prediction
from mitune.diffusion.sampling import initial_noise, renoise, sample
from mitune.guidance import ClassifierFree

SD = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "steps_offset": 1,
    "timestep_spacing": "leading",
}
SPACING = {"timestep_spacing": "trailing"}
STOCHASTIC = DDPMScheduler(clip_sample=False, **SD)
DETERMINISTIC = DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **SD)


def guide(model, guidance, condition, null, steps):
    return guidance.start(model, [""] * len(condition), condition, null, steps)


class UNetDenoiser:
    """Stable Diffusion's network, untrained and tiny."""

    def __init__(self, kind="epsilon"):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.unet = UNet2DConditionModel(
                sample_size=8,
                block_out_channels=(8, 8),
                norm_num_groups=2,
                down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
                cross_attention_dim=8,
                attention_head_dim=4,
                layers_per_block=1,
            ).eval()
        self.path, self.kind = DiscretePath.scaled_linear(), kind
        self.denoiser = self

    def predict(self, z_t, t, condition):
        raw = self.unet(z_t, t, condition.tensors["text"], return_dict=False)[0]
        return Prediction(raw, self.kind, z_t, *coefficients(self.path, t, z_t))


def generators(n, seed=0):
    return [torch.Generator().manual_seed(seed + i) for i in range(n)]


def text(n, seed=5):
    return torch.randn(n, 7, 8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("scheduler", [STOCHASTIC, DETERMINISTIC], ids=["ddpm", "ddim"])
def test_equals_the_stable_diffusion_pipeline(scheduler):
    denoiser, positive, negative = UNetDenoiser(), text(2), text(1, 6)
    ours = generators(2)
    noise = initial_noise((4, 8, 8), ours)
    texts = Condition({"text": positive}), Condition({"text": negative})
    guiding = guide(denoiser, ClassifierFree(scale=4.0), *texts, 6)
    *_, last = sample(guiding, scheduler, noise, ours)
    pipeline = StableDiffusionPipeline(
        None, None, None, denoiser.unet, scheduler, None, None, requires_safety_checker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    theirs = generators(2)
    initial_noise((4, 8, 8), theirs)
    expected = pipeline(
        prompt_embeds=positive,
        negative_prompt_embeds=negative.expand(2, -1, -1),
        latents=noise,
        generator=theirs,
        guidance_scale=4.0,
        num_inference_steps=6,
        output_type="latent",
    ).images
    assert torch.equal(last.z_next, expected)
    assert last.index == 5


@pytest.mark.parametrize(
    "scheduler",
    [
        STOCHASTIC,
        DETERMINISTIC,
        PNDMScheduler(skip_prk_steps=True, **SD),
        DPMSolverMultistepScheduler(),
        EulerDiscreteScheduler(beta_schedule="scaled_linear"),
        FlowMatchEulerDiscreteScheduler(shift=3.0),
    ],
    ids=lambda s: type(s).__name__,
)
def test_an_image_does_not_depend_on_its_batch(scheduler):
    flow = isinstance(scheduler, FlowMatchEulerDiscreteScheduler)
    path = RectifiedFlowPath() if flow else DiscretePath.scaled_linear()
    backbone = isotropic(16, 0.3, path, "flow" if flow else "epsilon", (4, 2, 2))
    y = torch.randn(5, 16, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def run(rows):
        seeds = [torch.Generator().manual_seed(100 + i) for i in rows]
        noise = initial_noise(backbone.latent_shape, seeds)
        condition = backbone.condition(y[rows])
        guiding = guide(backbone, ClassifierFree(scale=2.0), condition, backbone.null(), 8)
        return list(sample(guiding, scheduler, noise, seeds))[-1].z_next

    together = run([0, 1, 2, 3, 4])
    torch.testing.assert_close(run([3]), together[3:4], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(run([4, 1]), together[[4, 1]], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(together[0], together[1])


def test_exact_denoiser_and_euler_flow_reach_the_data_law():
    """The probability-flow ODE carries N(0, I) to N(y, s^2 I): mean and spread come out."""
    backbone = isotropic(8, 0.4, RectifiedFlowPath(), "flow")
    noise = initial_noise((8,), generators(512))
    condition = backbone.condition(torch.full((1, 8), 1.5)).expand(512)
    scheduler = FlowMatchEulerDiscreteScheduler()
    guiding = guide(backbone, ClassifierFree(scale=1.0), condition, backbone.null(), 50)
    *_, last = sample(guiding, scheduler, noise)
    assert last.z_next.mean().item() == pytest.approx(1.5, abs=0.03)
    assert last.z_next.std().item() == pytest.approx(0.4, abs=0.03)


def test_a_prediction_is_converted_to_the_kind_of_the_scheduler():
    noise = initial_noise((4,), generators(2))
    ends = []
    for kind in ("epsilon", "sample", "v_prediction", "flow"):
        backbone = isotropic(4, 0.5, DiscretePath.scaled_linear(), kind)
        condition = backbone.condition(torch.ones(2, 4))
        guiding = guide(backbone, ClassifierFree(), condition, backbone.null(), 10)
        *_, last = sample(guiding, DETERMINISTIC, noise)
        ends.append(last.z_next)
    for end in ends[1:]:
        torch.testing.assert_close(end, ends[0], rtol=1e-3, atol=1e-3)


def test_streams_may_interleave_and_leave_the_scheduler_alone():
    backbone = isotropic(4, 0.5, RectifiedFlowPath(), "flow")
    scheduler = FlowMatchEulerDiscreteScheduler()
    noise, condition = torch.ones(1, 4), backbone.condition(torch.ones(1, 4))

    def stream():
        guiding = guide(backbone, ClassifierFree(), condition, backbone.null(), 6)
        return sample(guiding, scheduler, noise)

    alone = [step.z_next for step in stream()]
    pairs = [(a.z_next, b.z_next) for a, b in zip(stream(), stream(), strict=True)]
    for expected, (a, b) in zip(alone, pairs, strict=True):
        assert torch.equal(a, expected)
        assert torch.equal(b, expected)
    assert len(scheduler.timesteps) == 1000


def test_the_network_sees_the_scaled_latent_of_euler():
    """Euler keeps z / alpha; the step must hold what the network got."""
    backbone = isotropic(4, 0.5, DiscretePath.scaled_linear())
    noise = initial_noise((4,), generators(64))
    condition = backbone.condition(torch.zeros(64, 4))
    scheduler = EulerDiscreteScheduler(beta_schedule="scaled_linear", **SPACING)
    guiding = guide(backbone, ClassifierFree(), condition, backbone.null(), 9)
    first, *_ = sample(guiding, scheduler, noise)
    assert first.guided.z_t.std().item() == pytest.approx(1.0, abs=0.1)


def test_renoise_shares_noise_between_branches_and_candidates():
    backbone = isotropic(4, 0.5, RectifiedFlowPath())
    z0 = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = torch.randn(2, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    times = torch.tensor([250.0, 500.0])
    condition = backbone.condition(torch.ones(3, 4))
    draws = list(renoise(backbone, z0, condition, backbone.null(), times, noise))
    assert len(draws) == 2
    torch.testing.assert_close(draws[0].z_t, 0.75 * z0 + 0.25 * noise[0])
    torch.testing.assert_close(draws[1].z_t, 0.5 * z0 + 0.5 * noise[1])
    assert torch.equal(draws[1].conditional.z_t, draws[1].unconditional.z_t)
    with pytest.raises(ValueError, match="zip"):
        list(renoise(backbone, z0, condition, backbone.null(), times, noise[:1]))


def test_errors_name_the_fix():
    backbone = isotropic(4, 0.5, DiscretePath.scaled_linear())
    condition, noise = backbone.condition(torch.ones(2, 4)), torch.ones(2, 4)
    guiding = guide(backbone, ClassifierFree(), condition, backbone.null(), 4)
    with pytest.raises(ValueError, match="per image"):
        next(sample(guiding, STOCHASTIC, noise))
    with pytest.raises(ValueError, match="got 3 for a batch of 2"):
        next(sample(guiding, STOCHASTIC, noise, generators(3)))
    strong = guide(backbone, ClassifierFree(scale=1e38), condition, backbone.null(), 4)
    with pytest.raises(ValueError, match=r"non-finite at step 3: lower guidance\.scale"):
        list(sample(strong, DETERMINISTIC, noise))


class Moved:
    """Guides at a latent that is 1 larger in the second step."""

    steps = 3

    def __init__(self, backbone, condition):
        self.plain = guide(backbone, ClassifierFree(), condition, backbone.null(), self.steps)

    def __call__(self, index, z_t, t):
        return self.plain(index, z_t + (index == 1), t)


@pytest.mark.parametrize(
    "scheduler",
    [DETERMINISTIC, EulerDiscreteScheduler(beta_schedule="scaled_linear", **SPACING)],
    ids=lambda s: type(s).__name__,
)
def test_the_sampler_goes_on_from_where_a_guide_moved_the_latent(scheduler):
    """Also where its state is the network's input times a number (Euler)."""
    backbone = isotropic(4, 0.5, DiscretePath.scaled_linear())
    condition = backbone.condition(torch.zeros(2, 4))
    noise = initial_noise((4,), generators(2))
    plain = list(sample(Moved(backbone, condition).plain, scheduler, noise))
    first, second, third = sample(Moved(backbone, condition), scheduler, noise)
    assert torch.equal(first.z_next, plain[0].z_next)
    torch.testing.assert_close(second.guided.z_t, plain[1].guided.z_t + 1)
    # An exact eps-step is linear in its state: what it makes of the moved one, by the scheduler.
    stepper = copy.deepcopy(scheduler)
    stepper.set_timesteps(3)
    for t, step in zip(stepper.timesteps[:2], (first, second), strict=True):
        unit = stepper.scale_model_input(torch.ones(1), t)
        expected = stepper.step(step.guided.guided.raw, t, step.guided.z_t / unit).prev_sample
        torch.testing.assert_close(step.z_next, expected, rtol=1e-5, atol=1e-5)
    unit = stepper.scale_model_input(torch.ones(1), stepper.timesteps[2])
    torch.testing.assert_close(third.guided.z_t, second.z_next * unit)
