"""Train the miniature of the rectified-flow family: an MMDiT on the same world, VAE and texts.

The text encoders are those of the other miniatures, frozen: the CLIP's own, and that of the
diffusion model, which has learned what captions ask for. There is no T5.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from mitune import libraries
from mitune.pretraining import models
from mitune.pretraining.cycle import cycle
from mitune.pretraining.data import careless_caption, step_rng, torch_rng
from mitune.pretraining.denoiser import load_latents
from mitune.pretraining.recipe import PretrainRecipe
from mitune.training.checkpoint import TrainingStep
from mitune.training.task import Loss
from mitune.training.timesteps import LogitNormal

if TYPE_CHECKING:
    from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline
    from transformers import CLIPModel, CLIPTextModelWithProjection, CLIPTokenizer

NO_T5 = 0  # tokens of the absent encoder: `max_sequence_length` of this pipeline


def train_flow(
    recipe: PretrainRecipe, folder: Path, accelerator: Accelerator
) -> Iterator[TrainingStep]:
    """Velocity regression, logit-normal times (Esser et al. 2024, eq. 13 and 19).

    Saves `folder/flow_pipeline`.
    """
    torch.manual_seed(recipe.seed)
    pipeline = _pipeline(folder)
    pipeline.to(accelerator.device)
    transformer = pipeline.transformer
    loss = partial(_flow_loss, recipe, pipeline, folder)
    # On a CPU the backward pass of the fused attention takes half of a step at this size.
    on_cpu = accelerator.device.type == "cpu"
    with sdpa_kernel(SDPBackend.MATH) if on_cpu else nullcontext():
        yield from cycle(
            recipe, transformer, loss, "flow", recipe.flow, folder, accelerator, recipe.ema_decay
        )
    if accelerator.is_main_process:
        target = folder / "flow_pipeline"
        shutil.rmtree(target, ignore_errors=True)
        pipeline.to(torch.float16).save_pretrained(target)


def _pipeline(folder: Path) -> StableDiffusion3Pipeline:
    """All parts but the transformer are trained already."""
    painter = libraries.diffusers.StableDiffusionPipeline.from_pretrained(folder / "pipeline")
    clip = libraries.transformers.CLIPModel.from_pretrained(folder / "clip")
    tokenizers = (
        libraries.transformers.CLIPTokenizer.from_pretrained(folder / "clip"),
        painter.tokenizer,
    )
    vae = libraries.diffusers.AutoencoderKL.from_pretrained(folder / "vae")
    vae.register_to_config(shift_factor=0.0)
    pipeline = libraries.diffusers.StableDiffusion3Pipeline(
        vae=vae,
        text_encoder=_projecting(clip.text_model.state_dict(), clip, tokenizers[0]),
        text_encoder_2=_projecting(painter.text_encoder.state_dict(), clip, tokenizers[1]),
        text_encoder_3=None,
        tokenizer=tokenizers[0],
        tokenizer_2=tokenizers[1],
        tokenizer_3=None,
        transformer=models.build_transformer(),
        scheduler=libraries.diffusers.FlowMatchEulerDiscreteScheduler(shift=1.0),
    )
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.text_encoder_2):
        part.requires_grad_(False).eval()
    pipeline.vae.register_to_config(_name_or_path="")  # no path of this machine in what is shipped
    return pipeline


def _projecting(
    weights: dict[str, Tensor], clip: CLIPModel, tokenizer: CLIPTokenizer
) -> CLIPTextModelWithProjection:
    """A text tower with the projection of CLIP, which stays the same for both."""
    encoder = models.build_projecting_text_encoder(tokenizer)
    bare = {name.removeprefix("text_model."): tensor for name, tensor in weights.items()}
    encoder.text_model.load_state_dict(bare)
    encoder.text_projection.load_state_dict(clip.text_projection.state_dict())
    return encoder


def _flow_loss(
    recipe: PretrainRecipe,
    pipeline: StableDiffusion3Pipeline,
    folder: Path,
) -> Loss:
    transformer: SD3Transformer2DModel = pipeline.transformer
    device = transformer.device
    velocity = torch.compile(transformer, dynamic=False) if recipe.compile_flow else transformer
    descriptions, latents = load_latents(recipe, folder)
    density = LogitNormal(shift=1.0)

    @torch.autocast(device.type, torch.bfloat16)
    def loss(step: int, rows: Tensor) -> Tensor:
        rng = step_rng(recipe, "flow", step)
        generator = torch_rng(rng)
        size = recipe.flow.batch_size
        picks = rng.integers(len(descriptions), size=size)
        captions = [careless_caption(recipe, descriptions[int(i)], rng) for i in picks]
        clean = latents[torch.from_numpy(picks)].float()
        noise = torch.randn(clean.shape, generator=generator)
        times = density.draw(size, generator)
        s = (times / 1000).view(-1, 1, 1, 1)
        noisy = ((1 - s) * clean + s * noise)[rows].to(device)
        with torch.no_grad():
            context, _, pooled, _ = pipeline.encode_prompt(
                [captions[i] for i in rows.tolist()],
                None,
                None,
                device=device,
                do_classifier_free_guidance=False,
                max_sequence_length=NO_T5,
            )
        predicted = velocity(
            noisy,
            timestep=times[rows].to(device),
            encoder_hidden_states=context,
            pooled_projections=pooled,
        ).sample
        target = (noise - clean)[rows].to(device)
        return (predicted - target).square().flatten(1).mean(1)

    return loss
