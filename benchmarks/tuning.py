"""Steps of fine-tuning: LoRA against diffusers' script, and DoRA against LoRA, in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pandas as pd
import torch
from accelerate import Accelerator
from peft import LoraConfig
from peft.tuners.lora.dora import DoraLinearLayer

from benchmarks.generation import CPU, MODEL, diffusers_pipeline
from benchmarks.ratios import Row, in_turn
from mitune.backbones import AdapterRef, open_backbone
from mitune.training.adapters import AdapterSettings
from mitune.training.finetuning import Finetuning, finetune
from mitune.training.gram_dora import GramDora
from mitune.training.optimisation import Optimisation

BATCH, RANK, REPEATS = 16, 32, 15


def rows() -> Iterator[Row]:
    """Of `BATCH` pictures each."""
    rate = (BATCH, "rows/s")
    lora = ("LoRA step", mitune("lora"))
    yield in_turn("fine-tuning", lora, ("diffusers' LoRA script", script()), REPEATS, rate)
    dora = ("DoRA step", mitune("dora"))
    yield in_turn("fine-tuning", dora, lora, REPEATS, rate)
    yield in_turn("fine-tuning", dora, ("with peft's norms", mitune("dora", True)), REPEATS, rate)


def mitune(kind: str, norms_of_peft: bool = False) -> Callable[[], object]:
    """A step of `finetune`: latents and embeddings were computed once."""
    backbone = open_backbone(MODEL, CPU)
    latents = torch.randn(BATCH, *backbone.latent_shape).half().numpy()
    selection = pd.DataFrame(
        {
            "prompt": [f"a {c} star" for c in ("red", "blue")] * (BATCH // 2),
            "latent": [latent.tobytes() for latent in latents],
        }
    )
    selection.attrs = {"latent_shape": list(backbone.latent_shape)}
    settings = Finetuning(
        adapter=AdapterSettings(kind=kind, rank=RANK, alpha=RANK, targets="attention"),
        optimisation=Optimisation(steps=10**6, batch_size=BATCH, max_grad_norm=1.0),
    )
    steps = finetune(backbone, selection, settings, AdapterRef(None), Accelerator(cpu=True))
    next(steps)  # the adapter is there
    if norms_of_peft:
        for module in backbone.network.modules():
            for name, layer in list(module.named_children()):
                if isinstance(layer, GramDora):
                    plain = DoraLinearLayer(layer.fan_in_fan_out)
                    plain.weight = layer.weight
                    setattr(module, name, plain)
    return lambda: next(steps)


def script() -> Callable[[], object]:
    """A step of examples/text_to_image/train_text_to_image_lora.py: VAE and text in every step."""
    pipeline, accelerator = diffusers_pipeline(), Accelerator(cpu=True)
    unet, vae, text = pipeline.unet, pipeline.vae, pipeline.text_encoder
    for module in (unet, vae, text):
        module.requires_grad_(False)
    targets = ["to_k", "to_q", "to_v", "to_out.0"]
    unet.add_adapter(
        LoraConfig(r=RANK, lora_alpha=RANK, init_lora_weights="gaussian", target_modules=targets)
    )
    weights = [p for p in unet.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-4)
    size = unet.config.sample_size * pipeline.vae_scale_factor
    pixels = torch.rand(BATCH, 3, size, size) * 2 - 1
    prompts = [f"a {c} star" for c in ("red", "blue")] * (BATCH // 2)
    tokens = pipeline.tokenizer(
        prompts, padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids
    unet.train()

    def step() -> None:
        latents = vae.encode(pixels).latent_dist.sample() * vae.config.scaling_factor
        noise = torch.randn_like(latents)
        t = torch.randint(0, pipeline.scheduler.config.num_train_timesteps, (BATCH,))
        noisy = pipeline.scheduler.add_noise(latents, noise, t)
        embeddings = text(tokens, return_dict=False)[0]
        predicted = unet(noisy, t, embeddings, return_dict=False)[0]
        loss = torch.nn.functional.mse_loss(predicted.float(), noise.float(), reduction="mean")
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step
