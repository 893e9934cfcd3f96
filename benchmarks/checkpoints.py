"""Full-size networks with random weights: generation with MI and fine-tuning, against diffusers.

    python benchmarks/checkpoints.py sd21 sdxl sd35      # on an accelerator
    python benchmarks/checkpoints.py --small sd21        # a shrunken network, to try the script

Ratios within one run: images per second of generation with the path score in half precision against
plain diffusers sampling with the same evaluations, and against ourselves in float32; the share of
the matrix-multiplication rate measured here that the network reaches, in generation and in
fine-tuning (where what gradient checkpointing computes again counts too); fine-tuning rows per
second; peak memory of each. Results go to benchmarks/results, named after the machine. Text
encoders are one layer deep and the autoencoder is small: neither is timed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from accelerate import Accelerator
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from mitune.backbones import AdapterRef, Backbone, ModelRef
from mitune.backbones.base import pick_device
from mitune.backbones.pipeline import PipelineBackbone
from mitune.backbones.stable_diffusion import StableDiffusion
from mitune.backbones.stable_diffusion_3 import StableDiffusion3
from mitune.backbones.stable_diffusion_xl import StableDiffusionXL
from mitune.candidates import Generation, Source, generate
from mitune.guidance import ClassifierFree
from mitune.objectives import SFT, Draws, Whole
from mitune.objectives.rows import Captions, Single
from mitune.training import adapters
from mitune.training.adapters import AdapterSettings
from mitune.training.policy import policy_from_base

ROOT = Path(__file__).parents[1]
TOKENIZER = ROOT / "data/06_models/miniature-sd/tokenizer"
PROMPT = "a red circle and a blue square"
STEPS, REPEATS = 10, 3
BATCH = {"sd21": 16, "sdxl": 8, "sd35": 8}


def _text(kind: type, width: int) -> Any:
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=width,
        num_hidden_layers=2,
        num_attention_heads=8,
        max_position_embeddings=tokenizer.model_max_length,
        projection_dim=width,
        eos_token_id=tokenizer.eos_token_id,
    )
    return kind(config)


def _vae(channels: int, **options: Any) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(32,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=channels,
        **options,
    )


def _ddpm() -> DDPMScheduler:
    return DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False
    )


# The published configurations; what --small shrinks.
NETWORKS: dict[str, tuple[type, dict[str, Any], dict[str, Any]]] = {
    "sd21": (
        UNet2DConditionModel,
        {
            "sample_size": 64,
            "cross_attention_dim": 1024,
            "attention_head_dim": [5, 10, 20, 20],
            "use_linear_projection": True,
            "block_out_channels": (320, 640, 1280, 1280),
        },
        {
            "sample_size": 16,
            "attention_head_dim": 8,
            "block_out_channels": (32, 32, 32, 32),
            "layers_per_block": 1,
        },
    ),
    "sdxl": (
        UNet2DConditionModel,
        {
            "sample_size": 128,
            "cross_attention_dim": 2048,
            "attention_head_dim": [5, 10, 20],
            "transformer_layers_per_block": [1, 2, 10],
            "use_linear_projection": True,
            "block_out_channels": (320, 640, 1280),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 6 * 256 + 1280,
        },
        {
            "sample_size": 16,
            "attention_head_dim": 8,
            "transformer_layers_per_block": 1,
            "block_out_channels": (32, 32, 32),
        },
    ),
    "sd35": (
        SD3Transformer2DModel,
        {
            "sample_size": 128,
            "patch_size": 2,
            "in_channels": 16,
            "out_channels": 16,
            "num_layers": 24,
            "attention_head_dim": 64,
            "num_attention_heads": 24,
            "caption_projection_dim": 1536,
            "joint_attention_dim": 4096,
            "pooled_projection_dim": 2048,
            "pos_embed_max_size": 384,
            "dual_attention_layers": tuple(range(13)),
            "qk_norm": "rms_norm",
        },
        {
            "sample_size": 16,
            "num_layers": 2,
            "num_attention_heads": 2,
            "caption_projection_dim": 128,
            "dual_attention_layers": (0,),
        },
    ),
}


def build(
    family: str, small: bool, device: torch.device, dtype: torch.dtype
) -> tuple[Any, Callable[[], PipelineBackbone]]:
    """A family's pipeline around a random network, and what makes a backbone of it."""
    torch.manual_seed(0)
    kind, full, shrunk = NETWORKS[family]
    network = kind(**{**full, **(shrunk if small else {})})
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
    pipeline: Any
    wrap: type[PipelineBackbone]
    if family == "sd21":
        wrap = StableDiffusion
        pipeline = StableDiffusionPipeline(
            vae=_vae(4),
            text_encoder=_text(CLIPTextModel, 1024),
            tokenizer=tokenizer,
            unet=network,
            scheduler=_ddpm(),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    elif family == "sdxl":
        wrap = StableDiffusionXL
        pipeline = StableDiffusionXLPipeline(
            vae=_vae(4, force_upcast=False),
            text_encoder=_text(CLIPTextModel, 768),
            text_encoder_2=_text(CLIPTextModelWithProjection, 1280),
            tokenizer=tokenizer,
            tokenizer_2=tokenizer,
            unet=network,
            scheduler=_ddpm(),
            add_watermarker=False,
        )
    else:
        wrap = StableDiffusion3
        pipeline = StableDiffusion3Pipeline(
            vae=_vae(16, shift_factor=0.06),
            text_encoder=_text(CLIPTextModelWithProjection, 768),
            text_encoder_2=_text(CLIPTextModelWithProjection, 1280),
            text_encoder_3=None,
            tokenizer=tokenizer,
            tokenizer_2=tokenizer,
            tokenizer_3=None,
            transformer=network,
            scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device, dtype)
    return pipeline, partial(wrap, pipeline, ModelRef("random", family), device)


def timed(action: Callable[[], object], device: torch.device) -> float:
    """Least seconds of a few runs after one to warm up."""
    action()
    seconds = []
    for _ in range(REPEATS):
        _wait(device)
        start = time.perf_counter()
        action()
        _wait(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def matmul_rate(device: torch.device, dtype: torch.dtype, size: int) -> float:
    """Measured floating-point operations a second of a large product."""
    a = torch.randn(size, size, device=device, dtype=dtype)
    return 2 * size**3 / timed(lambda: a @ a, device)


def plain_sampling(pipeline: Any, count: int, device: torch.device) -> float:
    """Seconds for `count` images by diffusers."""

    def plain() -> None:
        pipeline(
            PROMPT,
            num_images_per_prompt=count,
            num_inference_steps=STEPS,
            guidance_scale=7.5,
            output_type="latent",
        )

    return timed(plain, device)


def sampling(backbone: Backbone, family: str, count: int) -> float:
    """Seconds for `count` images with the path score."""
    prompts = pd.DataFrame({"prompt_id": ["0"], "category": ["color"], "prompt": [PROMPT]})
    settings = Generation(
        images_per_prompt=count,
        steps=STEPS,
        sampler="flow_euler" if family == "sd35" else "ddpm",
        guidance=ClassifierFree(scale=7.5),
    )
    source = Source(ModelRef("random", family), AdapterRef(None), "benchmark")
    return timed(
        lambda: list(generate(backbone, source, prompts, settings, count)), backbone.device
    )


def operations(backbone: Backbone) -> float:
    """Floating-point operations of one evaluation of the network on one latent."""
    z = torch.randn(1, *backbone.latent_shape, device=backbone.device)
    t = torch.full((1,), 500, device=backbone.device)
    condition = backbone.encode_prompts([PROMPT])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        backbone.denoiser.predict(z, t, condition)
    return float(counter.get_total_flops())


def tuning(backbone: Backbone, count: int) -> tuple[float, float]:
    """Seconds and floating-point operations for the gradients of `count` rows, DoRA of rank 32."""
    adapters.attach(backbone, AdapterSettings(), seed=0)
    backbone.network.enable_gradient_checkpointing()  # type: ignore[operator]
    accelerator = Accelerator(cpu=backbone.device.type == "cpu")
    rows = Single(
        torch.randn(count, *backbone.latent_shape, device=backbone.device),
        Captions(
            backbone.encode_prompts([PROMPT]),
            torch.zeros(count, dtype=torch.long, device=backbone.device),
        ),
        torch.ones(count, device=backbone.device),
    )
    policy = policy_from_base(backbone, torch.nn.ModuleDict())
    nothing = Whole(torch.empty(count, 0), torch.empty(count, 0))
    t = torch.randint(500, 1000, (count,), device=backbone.device)
    draws = Draws(t, torch.randn_like(rows.latents))

    def step() -> None:
        accelerator.backward(SFT().loss(policy, rows, draws, nothing).mean())
        for parameter in backbone.network.parameters():
            parameter.grad = None

    backbone.keep_network()
    with FlopCounterMode(display=False) as counter:
        step()
    return timed(step, backbone.device), float(counter.get_total_flops())


def _peak_gib(device: torch.device) -> float:
    """Most memory since the last call."""
    if device.type != "cuda":
        return 0.0
    peak = torch.cuda.max_memory_allocated() / 2**30
    torch.cuda.reset_peak_memory_stats()
    return peak


def measure(family: str, small: bool, device: torch.device) -> dict[str, float]:
    """All figures of one family."""
    half = torch.bfloat16 if family == "sd35" or device.type == "cpu" else torch.float16
    count = 2 if small else BATCH[family]
    _peak_gib(device)
    pipeline, backbone_of = build(family, small, device, half)
    plain = plain_sampling(pipeline, count, device)
    backbone = backbone_of()  # from here on its last layers are float32
    flops = operations(backbone)
    ours = sampling(backbone, family, count)
    peak = _peak_gib(device)
    rate = matmul_rate(device, half, 512 if small else 8192)
    _peak_gib(device)
    tune, tune_flops = tuning(backbone, count)
    tune_peak = _peak_gib(device)
    del pipeline, backbone_of, backbone
    single = build(family, small, device, torch.float32)[1]()
    slow = sampling(single, family, count)
    tune_slow, _ = tuning(single, count)
    return {
        "images_per_second": count / ours,
        "speed_over_diffusers": plain / ours,
        "speed_over_float32": slow / ours,
        "share_of_matmul_rate": 2 * STEPS * count * flops / ours / rate,
        "generation_peak_gib": peak,
        "tuning_rows_per_second": count / tune,
        "tuning_speed_over_float32": tune_slow / tune,
        "tuning_share_of_matmul_rate": tune_flops / tune / rate,
        "tuning_peak_gib": tune_peak,
    }


def main() -> None:
    """Print and keep a row per family."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("families", nargs="+", choices=list(NETWORKS))
    parser.add_argument("--small", action="store_true", help="shrunken networks, nothing is kept")
    arguments = parser.parse_args()
    device = pick_device("auto")
    machine = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    for family in arguments.families:
        found = measure(family, arguments.small, device)
        print(family, machine, json.dumps({k: round(v, 4) for k, v in found.items()}))
        if not arguments.small:
            folder = ROOT / "benchmarks/results"
            folder.mkdir(exist_ok=True)
            name = f"{family}_{machine.replace(' ', '_')}.json"
            facts = {"machine": machine, "torch": torch.__version__, "steps": STEPS, **found}
            (folder / name).write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
