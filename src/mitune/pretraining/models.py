"""Architectures of the miniature: genuine diffusers and transformers classes, small."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitune import libraries
from mitune.miniature.scene import CANVAS
from mitune.pretraining.tokenizer import MAX_TOKENS

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, SD3Transformer2DModel, UNet2DConditionModel
    from transformers import (
        BertTokenizer,
        BlipForQuestionAnswering,
        CLIPModel,
        CLIPTextModel,
        CLIPTextModelWithProjection,
        CLIPTokenizer,
    )

LATENT_CHANNELS = 8
LATENT_SIZE = CANVAS // 8
TEXT_WIDTH = 128
PROJECTION = 64
PATCH = 8


def build_vae() -> AutoencoderKL:
    """Autoencoder, 64x64x3 to 8x8x8 and back, 0.95 M parameters."""
    return libraries.diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 64, 64),
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        sample_size=CANVAS,
        mid_block_add_attention=False,
        force_upcast=False,
    )


def build_unet() -> UNet2DConditionModel:
    """Denoiser with cross-attention at both resolutions, 4.3 M parameters."""
    return libraries.diffusers.UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(64, 128),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def _text_settings(tokenizer: CLIPTokenizer) -> dict[str, int]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 4 * TEXT_WIDTH,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": MAX_TOKENS,
        "projection_dim": PROJECTION,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Text tower of the diffusion model; it has the shape of the miniature CLIP's own."""
    return libraries.transformers.CLIPTextModel(
        libraries.transformers.CLIPTextConfig(**_text_settings(tokenizer))
    )


def build_projecting_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModelWithProjection:
    """The same tower as SD3 wants it, with a projection of its last token."""
    return libraries.transformers.CLIPTextModelWithProjection(
        libraries.transformers.CLIPTextConfig(**_text_settings(tokenizer))
    )


def build_transformer() -> SD3Transformer2DModel:
    """MMDiT of the rectified-flow miniature: every latent pixel a token, 3.6 M parameters."""
    return libraries.diffusers.SD3Transformer2DModel(
        sample_size=LATENT_SIZE,
        patch_size=1,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        num_layers=6,
        attention_head_dim=32,
        num_attention_heads=4,
        caption_projection_dim=128,
        joint_attention_dim=2 * TEXT_WIDTH,
        pooled_projection_dim=2 * PROJECTION,
        pos_embed_max_size=LATENT_SIZE,
        qk_norm="rms_norm",
    )


def build_clip(tokenizer: CLIPTokenizer) -> CLIPModel:
    """Contrastive image-text model over the world."""
    vision = {
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "image_size": CANVAS,
        "patch_size": PATCH,
        "projection_dim": PROJECTION,
    }
    config = libraries.transformers.CLIPConfig(
        text_config=_text_settings(tokenizer), vision_config=vision, projection_dim=PROJECTION
    )
    return libraries.transformers.CLIPModel(config)


def build_vqa(tokenizer: BertTokenizer) -> BlipForQuestionAnswering:
    """Question answering over the world, 2.0 M parameters."""
    width, deviation = 128, 0.08  # BLIP's own default deviation leaves the ViT all zeros
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": width,
        "encoder_hidden_size": width,
        "intermediate_size": 4 * width,
        "projection_dim": PROJECTION,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": MAX_TOKENS,
        "initializer_range": deviation,
        "bos_token_id": tokenizer.convert_tokens_to_ids("[DEC]"),
        "pad_token_id": tokenizer.pad_token_id,
        "sep_token_id": tokenizer.sep_token_id,
        "eos_token_id": tokenizer.sep_token_id,
    }
    vision = {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "projection_dim": PROJECTION,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "image_size": CANVAS,
        "patch_size": PATCH,
        "initializer_range": deviation,
    }
    config = libraries.transformers.BlipConfig(
        text_config=text, vision_config=vision, projection_dim=PROJECTION
    )
    blip = libraries.transformers.BlipForQuestionAnswering(config)
    for layer in blip.text_encoder.encoder.layer:
        # A word looks at patches that are like it from the first step on.
        attention = layer.crossattention.self
        attention.key.load_state_dict(attention.query.state_dict())
    return blip
