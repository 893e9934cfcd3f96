from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler, DiffusionPipeline

from mitune.backbones import AdapterRef, ModelError, ModelRef, open_backbone
from mitune.backbones.base import Backbone
from mitune.candidates import Generation, Scoring, Source, generate, latents_of
from mitune.guidance import ClassifierFree
from mitune.training import adapters
from mitune.training.adapters import AdapterSettings
from mitune.training.checkpoint import Checkpoint
from mitune.training.finetuning import Finetuning, finetune, save
from mitune.training.optimisation import Optimisation
from mitune.training.order import epoch_order
from mitune.training.timesteps import Uniform

PROMPT = "a red circle and a blue square"
SMALL = Finetuning(
    adapter=AdapterSettings(rank=4, alpha=4),
    optimisation=Optimisation(steps=3, batch_size=4, learning_rate=1e-2),
    timesteps=Uniform(low=0, high=1000),
)


def _predict(backbone: Backbone) -> torch.Tensor:
    z = torch.randn(2, *backbone.latent_shape, generator=torch.Generator().manual_seed(0))
    condition = backbone.encode_prompts([PROMPT]).expand(2)
    with torch.no_grad():
        return backbone.denoiser.predict(z, torch.tensor([300, 700]), condition).raw


def _selection() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = [
        {
            "prompt": PROMPT,
            "image_index": i,
            "latent": generator.normal(size=512).astype(np.float16).tobytes(),
        }
        for i in range(4)
    ]
    table = pd.DataFrame(rows)
    table.attrs = {"latent_shape": [8, 8, 8]}
    return table


def _tune(backbone: Backbone, **options) -> list:  # type: ignore[no-untyped-def,type-arg]
    return list(
        finetune(backbone, _selection(), SMALL, AdapterRef(None), Accelerator(cpu=True), **options)
    )


def test_a_fresh_adapter_changes_nothing_and_only_it_trains(backbone: Backbone) -> None:
    before = _predict(backbone)
    adapters.attach(backbone, AdapterSettings(), seed=0)
    torch.testing.assert_close(_predict(backbone), before, atol=1e-5, rtol=1e-4)
    trainable = [n for n, p in backbone.network.named_parameters() if p.requires_grad]
    assert trainable and all("lora_" in name for name in trainable)
    for target in ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2"):
        assert any(f"{target}.lora_A" in name for name in trainable), target


def test_dora_is_used_and_its_magnitudes_learn(backbone: Backbone) -> None:
    """methods.md 23.11."""
    adapters.attach(backbone, AdapterSettings(rank=4, alpha=4), seed=0)
    z = torch.randn(2, *backbone.latent_shape)
    condition = backbone.encode_prompts([PROMPT]).expand(2)
    backbone.denoiser.predict(z, torch.tensor([300, 700]), condition).raw.square().sum().backward()
    magnitudes = [p for n, p in backbone.network.named_parameters() if "lora_magnitude_vector" in n]
    assert magnitudes
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in magnitudes)


def test_lora_has_no_magnitudes(backbone: Backbone) -> None:
    adapters.attach(backbone, AdapterSettings(kind="lora", targets="attention"), seed=0)
    names = [n for n, p in backbone.network.named_parameters() if p.requires_grad]
    assert not any("magnitude" in n or "ff." in n for n in names)


def test_plain_diffusers_paints_the_same_picture(
    backbone: Backbone, model: ModelRef, tmp_path: Path
) -> None:
    """Our saved adapter in an ordinary pipeline, on the same noise, against our own sampler."""
    _tune(backbone)
    save(backbone, tmp_path, SMALL, {"round": 1})
    reference = AdapterRef(str(tmp_path), "d", 1)
    fused = open_backbone(model, torch.device("cpu"))
    adapters.load(fused, reference)
    adapters.fuse(fused)
    settings = Generation(
        images_per_prompt=1,
        steps=5,
        sampler="ddim",
        guidance=ClassifierFree(scale=2.0),
        scoring=Scoring(path=None),
    )
    prompts = pd.DataFrame({"prompt_id": ["p"], "category": ["color"], "prompt": [PROMPT]})
    source = Source(model, reference, "evaluation")
    ((_, table),) = generate(fused, source, prompts, settings, 1)
    ours = fused.decode(latents_of(table))

    plain = DiffusionPipeline.from_pretrained(model.path, torch_dtype=torch.float32)
    plain.set_progress_bar_config(disable=True)
    from diffusers import DDIMScheduler

    plain.scheduler = DDIMScheduler.from_config(plain.scheduler.config)
    base = _paint(plain, int(table["seed"][0]))
    plain.load_lora_weights(str(tmp_path))
    theirs = _paint(plain, int(table["seed"][0]))
    assert np.abs(theirs.astype(int) - ours.astype(int)).max() <= 2
    assert np.abs(theirs.astype(int) - base.astype(int)).max() > 20


def _paint(pipeline: DiffusionPipeline, seed: int) -> np.ndarray:
    images = pipeline(
        PROMPT,
        num_inference_steps=5,
        guidance_scale=2.0,
        generator=torch.Generator().manual_seed(seed),
        output_type="np",
    ).images
    return (images * 255).round().astype(np.uint8)


def test_a_saved_adapter_comes_back_and_can_go_on_training(
    backbone: Backbone, model: ModelRef, tmp_path: Path
) -> None:
    _tune(backbone)
    expected = _predict(backbone)
    save(backbone, tmp_path, SMALL, {"round": 1})
    again = open_backbone(model, torch.device("cpu"))
    adapters.load(again, AdapterRef(str(tmp_path)), trainable=True)
    torch.testing.assert_close(_predict(again), expected, atol=1e-4, rtol=1e-3)
    assert any(p.requires_grad for p in again.network.parameters())


def test_finetuning_resumes_to_the_same_adapter(
    backbone: Backbone, model: ModelRef, tmp_path: Path
) -> None:
    _tune(backbone)
    expected = _predict(backbone)
    checkpoint = Checkpoint(tmp_path / "state.pt", "k", every=0.0)
    first = open_backbone(model, torch.device("cpu"))
    steps = finetune(
        first, _selection(), SMALL, AdapterRef(None), Accelerator(cpu=True), checkpoint
    )
    next(steps)
    next(steps)
    resumed = open_backbone(model, torch.device("cpu"))
    rest = _tune(resumed, checkpoint=checkpoint)
    assert [s.index for s in rest] == [0, 1, 2]
    torch.testing.assert_close(_predict(resumed), expected, atol=0, rtol=0)


def test_the_loss_falls_on_a_set_it_can_fit(backbone: Backbone) -> None:
    settings = SMALL.model_copy(
        update={"optimisation": Optimisation(steps=40, batch_size=8, learning_rate=3e-3)}
    )
    steps = list(
        finetune(backbone, _selection(), settings, AdapterRef(None), Accelerator(cpu=True))
    )
    losses = [s.loss for s in steps]
    assert np.mean(losses[-10:]) < 0.9 * np.mean(losses[:10])


def test_every_epoch_visits_every_row_once() -> None:
    seen = torch.cat([epoch_order(step, 3, 7, seed=0) for step in range(7)])
    assert sorted(seen.tolist()) == sorted(list(range(7)) * 3)
    assert seen[:7].tolist() != seen[7:14].tolist()


def test_a_truncated_adapter_is_named(backbone: Backbone, tmp_path: Path) -> None:
    (tmp_path / adapters.WEIGHTS).write_bytes(b"not safetensors")
    with pytest.raises(ModelError, match=adapters.WEIGHTS):
        adapters.load(backbone, AdapterRef(str(tmp_path)))


def test_shipped_scheduler_does_not_clip(backbone: Backbone) -> None:
    assert isinstance(backbone.pipeline.scheduler, DDPMScheduler)
    assert backbone.pipeline.scheduler.config.clip_sample is False
