"""Tiny pipelines of the real classes with random weights."""

from collections.abc import Iterator, Sequence

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

from mitune.backbones.base import Backbone
from mitune.diffusion.sampling import Step, build_scheduler, initial_noise, sample
from mitune.guidance import Guidance
from tests.conftest import SHIPPED

WIDTH = 32


def _vae(**options) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        latent_channels=4,
        sample_size=16,
        **options,
    )


def _unet(**options) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        **options,
    )


def _tokenizer() -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(SHIPPED / "miniature-sd/tokenizer")


def _text(kind: type, tokenizer: CLIPTokenizer):
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        projection_dim=WIDTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return kind(config)


def _ddim(prediction_type: str) -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        prediction_type=prediction_type,
    )


def stable_diffusion(prediction_type: str = "epsilon") -> StableDiffusionPipeline:
    tokenizer = _tokenizer()
    return StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=_text(CLIPTextModel, tokenizer),
        tokenizer=tokenizer,
        unet=_unet(cross_attention_dim=WIDTH),
        scheduler=_ddim(prediction_type),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def stable_diffusion_v() -> StableDiffusionPipeline:
    return stable_diffusion("v_prediction")


def stable_diffusion_xl() -> StableDiffusionXLPipeline:
    tokenizer = _tokenizer()
    unet = _unet(
        cross_attention_dim=2 * WIDTH,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + WIDTH,
    )
    return StableDiffusionXLPipeline(
        vae=_vae(force_upcast=False),
        text_encoder=_text(CLIPTextModel, tokenizer),
        text_encoder_2=_text(CLIPTextModelWithProjection, tokenizer),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=unet,
        scheduler=_ddim("epsilon"),
        add_watermarker=False,
    )


def _t5_tokenizer() -> T5TokenizerFast:
    """One token a letter."""
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    letters = [(letter, -1.0) for letter in "\u2581abcdefghijklmnopqrstuvwxyz"]
    return T5TokenizerFast(vocab=[*special, *letters], extra_ids=0)


def _t5(tokenizer: T5TokenizerFast) -> T5EncoderModel:
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=2 * WIDTH,
        d_kv=8,
        d_ff=WIDTH,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
    )
    return T5EncoderModel(config)


def stable_diffusion_3(with_t5: bool = False) -> StableDiffusion3Pipeline:
    tokenizer = _tokenizer()
    t5_tokenizer = _t5_tokenizer() if with_t5 else None
    transformer = SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        caption_projection_dim=32,
        joint_attention_dim=2 * WIDTH,
        pooled_projection_dim=2 * WIDTH,
        pos_embed_max_size=8,
    )
    return StableDiffusion3Pipeline(
        vae=_vae(shift_factor=0.06, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=_text(CLIPTextModelWithProjection, tokenizer),
        text_encoder_2=_text(CLIPTextModelWithProjection, tokenizer),
        text_encoder_3=_t5(t5_tokenizer) if t5_tokenizer else None,
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        tokenizer_3=t5_tokenizer,
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def stable_diffusion_3_with_t5() -> StableDiffusion3Pipeline:
    return stable_diffusion_3(with_t5=True)


FAMILIES = {
    "sd": stable_diffusion,
    "sd-v": stable_diffusion_v,
    "sdxl": stable_diffusion_xl,
    "sd3": stable_diffusion_3,
    "sd3-t5": stable_diffusion_3_with_t5,
}


def sampler_of(backbone: Backbone) -> str:
    return "flow_euler" if backbone.network_name == "transformer" else "ddim"


def noise_of(backbone: Backbone, count: int, first: int = 0) -> torch.Tensor:
    generators = [torch.Generator().manual_seed(first + i) for i in range(count)]
    return initial_noise(backbone.latent_shape, generators)


def trajectory(
    backbone: Backbone,
    noise: torch.Tensor,
    prompts: Sequence[str],
    guidance: Guidance,
    steps: int = 4,
) -> Iterator[Step]:
    """Guided sampling from `noise` by the family's deterministic sampler."""
    condition, null = backbone.encode_prompts(prompts), backbone.encode_prompts([""])
    guiding = guidance.start(backbone, prompts, condition, null, steps)
    scheduler = build_scheduler(sampler_of(backbone), backbone.pipeline.scheduler)
    return sample(guiding, scheduler, noise)


def build(family: str) -> DiffusionPipeline:
    """One of the families, the same weights every time."""
    torch.manual_seed(0)
    return FAMILIES[family]()
