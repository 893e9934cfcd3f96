"""One set of laws for every model family, against diffusers' own pipelines."""

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import Accelerator, cpu_offload_with_hook
from diffusers import DiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from PIL import Image

from mitune.backbones import AdapterRef, ModelError, ModelRef, open_backbone
from mitune.backbones.base import Backbone
from mitune.backbones.model_index import absent_parts, model_index
from mitune.diffusion.sampling import build_scheduler
from mitune.errors import UserError
from mitune.estimators import ForwardScore, PathScore, information
from mitune.guidance import ClassifierFree
from mitune.training import adapters
from mitune.training.adapters import AdapterSettings
from mitune.training.finetuning import Finetuning, finetune
from mitune.training.optimisation import Optimisation
from tests.contracts.tiny import FAMILIES, build, noise_of, sampler_of, trajectory

PROMPTS = ["a red circle and a blue square", "two stars"]
CPU = torch.device("cpu")

diffusers_logging.set_verbosity_error()


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request, tmp_path_factory) -> Path:
    """A tiny model on disk, in the layout of the hub."""
    path = tmp_path_factory.mktemp(request.param)
    build(request.param).save_pretrained(path)
    return path


@pytest.fixture
def backbone(folder: Path) -> Backbone:
    return open_backbone(ModelRef(str(folder), folder.name), CPU)


def final(
    backbone: Backbone, noise: torch.Tensor, prompts: list[str], scale: float, steps: int = 4
):
    *_, last = trajectory(backbone, noise, prompts, ClassifierFree(scale=scale), steps)
    return last.z_next


def test_it_samples_as_diffusers_does_on_the_same_noise(backbone: Backbone) -> None:
    noise = noise_of(backbone, 2)
    expected = backbone.pipeline(
        PROMPTS, latents=noise, num_inference_steps=4, guidance_scale=3.0, output_type="latent"
    ).images
    torch.testing.assert_close(final(backbone, noise, PROMPTS, 3.0), expected, rtol=1e-4, atol=1e-4)


def test_pictures_are_those_of_diffusers(backbone: Backbone) -> None:
    noise = noise_of(backbone, 2)
    expected = backbone.pipeline(
        PROMPTS, latents=noise, num_inference_steps=4, guidance_scale=3.0, output_type="np"
    ).images
    found = backbone.decode(final(backbone, noise, PROMPTS, 3.0))
    assert found.shape == expected.shape and abs(found / 255 - expected).max() < 2 / 255


def test_pictures_become_latents_as_in_diffusers(backbone: Backbone) -> None:
    size = backbone.image_size
    pictures = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    vae = backbone.pipeline.vae
    pixels = backbone.pipeline.image_processor.preprocess([Image.fromarray(p) for p in pictures])
    with torch.no_grad():
        mode = vae.encode(pixels).latent_dist.mode()
    shift = vae.config.get("shift_factor") or 0.0
    found = backbone.encode(pictures)
    assert found.shape == (3, *backbone.latent_shape)
    torch.testing.assert_close(found, (mode - shift) * vae.config.scaling_factor)


def test_an_image_does_not_depend_on_its_batch(backbone: Backbone) -> None:
    noise = noise_of(backbone, 2)
    alone = final(backbone, noise[1:], PROMPTS[1:], 3.0)
    torch.testing.assert_close(
        final(backbone, noise, PROMPTS, 3.0)[1:], alone, rtol=1e-4, atol=1e-4
    )


def test_prompts_are_encoded_as_in_diffusers(backbone: Backbone) -> None:
    """The empty prompt is its unconditional branch, also between others."""
    others = {"prompt_2": None, "prompt_3": None} if backbone.network_name == "transformer" else {}
    # Conditional, unconditional; pooled likewise where there is such a thing.
    expected = backbone.pipeline.encode_prompt(
        prompt=PROMPTS,
        device=CPU,
        num_images_per_prompt=1,
        do_classifier_free_guidance=True,
        **others,
    )
    found = backbone.encode_prompts([PROMPTS[0], "", PROMPTS[1]]).tensors
    assert len(expected) == 2 * sum(name in found for name in ("prompt", "pooled"))
    for i, name in zip(range(0, len(expected), 2), ("prompt", "pooled"), strict=False):
        torch.testing.assert_close(found[name][[0, 2]], expected[i])
        torch.testing.assert_close(found[name][1], expected[i + 1][0])


def test_a_prediction_is_what_the_scheduler_takes_it_for(backbone: Backbone) -> None:
    """Clean latents by diffusers' own conversion, by the prediction type that was saved."""
    scheduler = copy.deepcopy(backbone.pipeline.scheduler)
    scheduler.set_timesteps(3)
    z_t = noise_of(backbone, 1)
    condition = backbone.encode_prompts(PROMPTS[:1])
    # Of a flow, the step to no noise: diffusers has no name for what it takes for clean.
    flow = backbone.network_name == "transformer"
    for t in scheduler.timesteps[-1:] if flow else scheduler.timesteps:
        found = backbone.denoiser.predict(z_t, t[None], condition)
        step = scheduler.step(found.raw, t, z_t)
        clean = step.prev_sample if flow else step.pred_original_sample
        torch.testing.assert_close(found.x0, clean, rtol=1e-4, atol=1e-4)
        noised = found.alpha * clean + found.sigma * found.eps
        torch.testing.assert_close(noised, z_t, rtol=1e-4, atol=1e-4)


def test_only_the_empty_prompt_has_no_information(backbone: Backbone) -> None:
    """Encoded beside another prompt, it is still the unconditional branch."""
    (found,) = information(
        backbone.denoiser,
        noise_of(backbone, 1).expand(2, -1, -1, -1),
        backbone.encode_prompts(["", PROMPTS[0]]),
        backbone.encode_prompts([""]),
        [ForwardScore(draws=4)],
        torch.Generator().manual_seed(0),
    )
    empty, other = found.score.tolist()
    assert empty < 1e-6 and other > 1e-2


def _saved_without(folder: Path, target: Path, part: str) -> ModelRef:
    shutil.copytree(folder, target)
    index = json.loads((target / "model_index.json").read_text())
    index[part] = [None, None]
    (target / "model_index.json").write_text(json.dumps(index))
    return ModelRef(str(target), "without")


def test_a_clip_encoder_may_not_be_absent(folder: Path, backbone: Backbone, tmp_path: Path) -> None:
    for part in ("text_encoder", "text_encoder_2"):
        if hasattr(backbone.pipeline, part):
            ref = _saved_without(folder, tmp_path / part, part)
            with pytest.raises(ModelError, match=rf"saved without {part}; .* save the pipeline"):
                open_backbone(ref, CPU)


DISTILLED = {
    "StableDiffusionPipeline": ("unet", {"time_cond_proj_dim": 256}),
    "LatentConsistencyModelPipeline": ("unet", {"time_cond_proj_dim": 256}),
    "FluxPipeline": ("transformer", {"guidance_embeds": True}),
}


@pytest.mark.parametrize("name", DISTILLED)
def test_distilled_guidance_is_refused_before_weights_are_read(name: str, tmp_path: Path) -> None:
    part, config = DISTILLED[name]
    index = {"_class_name": name, part: ["diffusers", "Network"]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    (tmp_path / part).mkdir()
    (tmp_path / part / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"config\.json: \w+ is .* no unconditional prediction"):
        open_backbone(ModelRef(str(tmp_path), "distilled"), CPU)


def test_information_is_found_along_the_path(backbone: Backbone) -> None:
    """Nats on the sampler's own grid, finite although a flow starts from pure noise."""
    stream = trajectory(backbone, noise_of(backbone, 2), PROMPTS, ClassifierFree(scale=2.0), 6)
    found = PathScore().fold(backbone.denoiser.path, stream)
    assert found.score.isfinite().all() and (found.score > 0).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_predictions_have_the_digits_of_float32(folder: Path, dtype: str) -> None:
    """Rounded to half precision, two that are close would have no difference left."""
    backbone = open_backbone(ModelRef(str(folder), folder.name), CPU, dtype)
    z_t = noise_of(backbone, 1)
    condition = backbone.encode_prompts(PROMPTS[:1])
    raw = backbone.denoiser.predict(z_t, torch.tensor([500]), condition).raw
    rounded = raw.to(getattr(torch, dtype)).float()
    assert raw.dtype == torch.float32 and (raw != rounded).float().mean() > 0.9


@pytest.mark.parametrize(
    ("dtype", "mean", "each"), [("float16", 2e-3, 2e-2), ("bfloat16", 4e-2, 0.2)]
)
def test_half_precision_adds_little_noise(
    folder: Path, dtype: str, mean: float, each: float
) -> None:
    """Differences of predictions are taken and summed in float32; errors are relative."""
    ref = ModelRef(str(folder), folder.name)
    found = {}
    for name in ("float32", dtype):
        backbone = open_backbone(ref, CPU, name)
        assert backbone.pipeline.vae.dtype == torch.float32
        (estimate,) = information(
            backbone.denoiser,
            noise_of(backbone, 8),
            backbone.encode_prompts(PROMPTS * 4),
            backbone.encode_prompts([""]),
            [ForwardScore(draws=8, log_snr=(-5.0, 2.0))],
            torch.Generator().manual_seed(0),
        )
        assert estimate.score.dtype == torch.float32
        found[name] = estimate.score
    half, whole = found[dtype], found["float32"]
    torch.testing.assert_close(half.mean(), whole.mean(), rtol=mean, atol=0)
    torch.testing.assert_close(half, whole, rtol=each, atol=0)


def test_an_adapter_is_trained_in_float32_on_half_precision(folder: Path) -> None:
    backbone = open_backbone(ModelRef(str(folder), folder.name), CPU, "bfloat16")
    table = pd.DataFrame(
        {
            "prompt": PROMPTS,
            "image_index": [0, 0],
            "latent": [z.numpy().astype(np.float16).tobytes() for z in noise_of(backbone, 2)],
        }
    )
    table.attrs = {"latent_shape": backbone.latent_shape}
    settings = Finetuning(
        adapter=AdapterSettings(rank=2, alpha=2),
        optimisation=Optimisation(steps=2, batch_size=2, learning_rate=1e-2),
        dtype="bfloat16",
    )
    accelerator = Accelerator(cpu=True)
    steps = list(finetune(backbone, table, settings, AdapterRef(None), accelerator))
    trained = {n: p for n, p in backbone.network.named_parameters() if p.requires_grad}
    assert len(steps) == 2 and all("lora_" in name for name in trained)
    assert {p.dtype for p in trained.values()} == {torch.float32}
    assert any(p.abs().sum() > 0 for n, p in trained.items() if "lora_B" in n)


def test_training_keeps_nothing_but_the_network_on_the_accelerator(backbone: Backbone) -> None:
    """`meta` stands for one, and its hooks for those that diffusers offloads with."""
    accelerator = torch.device("meta")
    parts = {n: p for n, p in backbone.pipeline.components.items() if hasattr(p, "parameters")}
    for part in parts.values():
        cpu_offload_with_hook(part, accelerator)
    backbone.device = accelerator
    backbone.keep_network()
    assert {n for n, part in parts.items() if part.device == accelerator} == {backbone.network_name}
    assert len(parts) > 2 and not any(hasattr(part, "_hf_hook") for part in parts.values())


def test_every_attention_and_feed_forward_layer_is_adapted(backbone: Backbone) -> None:
    """Both streams of MMDiT, and the second attention of SD 3.5."""
    linear = {
        name
        for name, module in backbone.network.named_modules()
        if isinstance(module, torch.nn.Linear) and (".attn" in name or ".ff" in name)
    }
    adapters.attach(backbone, AdapterSettings(rank=2, alpha=2), seed=0)
    modules = backbone.network.named_modules()
    assert {name for name, module in modules if hasattr(module, "lora_A")} == linear != set()


def test_an_adapter_loads_back_in_plain_diffusers(
    folder: Path, backbone: Backbone, tmp_path: Path
) -> None:
    adapters.attach(backbone, AdapterSettings(rank=2, alpha=2), seed=0)
    with torch.no_grad():
        for name, parameter in backbone.network.named_parameters():
            if "lora_B" in name:
                parameter.normal_(generator=torch.Generator().manual_seed(len(name)))
    noise = noise_of(backbone, 2)
    ours = final(backbone, noise, PROMPTS, 3.0)
    adapters.save(backbone, tmp_path / "adapter", {"round": 1})
    ref = ModelRef(str(folder), folder.name)
    plain = DiffusionPipeline.from_pretrained(folder, **absent_parts(model_index(ref)))
    plain.set_progress_bar_config(disable=True)
    arguments = {"latents": noise, "num_inference_steps": 4, "guidance_scale": 3.0}
    before = plain(PROMPTS, output_type="latent", **arguments).images
    plain.load_lora_weights(tmp_path / "adapter")
    theirs = plain(PROMPTS, output_type="latent", **arguments).images
    torch.testing.assert_close(theirs, ours, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(before, theirs, atol=1e-2)


def test_a_sampler_of_another_kind_is_refused(backbone: Backbone) -> None:
    wrong = "ddim" if sampler_of(backbone) == "flow_euler" else "flow_euler"
    with pytest.raises(UserError, match=f"sampler: '{wrong}' does not fit"):
        build_scheduler(wrong, backbone.pipeline.scheduler)
