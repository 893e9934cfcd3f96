"""CLIP weights under open_clip's names as transformers' CLIPModel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mitune import libraries
from mitune.metrics.checkpoint import build, count

if TYPE_CHECKING:
    from transformers import CLIPConfig, CLIPModel

_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_OUTSIDE = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
    "visual.proj": "visual_projection.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "text_projection": "text_projection.weight",
}
_TRANSPOSED = ("visual.proj", "text_projection")
_STACKED = ".attn.in_proj_"


def from_open_clip(
    state: Mapping[str, torch.Tensor],
    dtype: torch.dtype,
    source: Path,
    vision_head_width: int = 80,
    text_head_width: int = 64,
) -> CLIPModel:
    """The model of `state`. Sizes are those of the tensors; head widths default to ViT-H-14's.

    The activation is GELU, as in LAION's models; OpenAI's use another one (`quick_gelu`).

    Raises
    ------
    WeightsError
        If a tensor is missing or left over; it names `source`.
    """
    config = _config(state, vision_head_width, text_head_width)
    return build(libraries.transformers.CLIPModel, config, dict(_renamed(state)), dtype, source)


def _config(state: Mapping[str, torch.Tensor], vision_head: int, text_head: int) -> CLIPConfig:
    vocabulary, text_width = state["token_embedding.weight"].shape
    vision_width, _, patch, _ = state["visual.conv1.weight"].shape
    patches = state["visual.positional_embedding"].shape[0] - 1
    projection = state["text_projection"].shape[1]
    text = {
        "vocab_size": vocabulary,
        "hidden_size": text_width,
        "intermediate_size": state["transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
        "num_hidden_layers": count(state, "transformer.resblocks."),
        "num_attention_heads": text_width // text_head,
        "max_position_embeddings": state["positional_embedding"].shape[0],
        "projection_dim": projection,
        "hidden_act": "gelu",
        # open_clip pools at the largest id, which is the end of the text
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
        "pad_token_id": vocabulary - 1,
    }
    vision = {
        "hidden_size": vision_width,
        "intermediate_size": state["visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
        "num_hidden_layers": count(state, "visual.transformer.resblocks."),
        "num_attention_heads": vision_width // vision_head,
        "image_size": patch * round(patches**0.5),
        "patch_size": patch,
        "projection_dim": projection,
        "hidden_act": "gelu",
    }
    return libraries.transformers.CLIPConfig(
        text_config=text, vision_config=vision, projection_dim=projection
    )


def _renamed(state: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    for name, value in state.items():
        if _STACKED in name:
            block, part = name.split(_STACKED)
            for projection, tensor in zip("qkv", value.chunk(3), strict=True):
                yield f"{_tower(block)}.self_attn.{projection}_proj.{part}", tensor
        elif ".resblocks." in name or name.startswith("transformer."):
            yield _in_block(name), value
        else:
            yield _OUTSIDE.get(name, name), value.T if name in _TRANSPOSED else value


def _in_block(name: str) -> str:
    for released, renamed in _BLOCK.items():
        name = name.replace(f".{released}.", f".{renamed}.")
    return _tower(name)


def _tower(name: str) -> str:
    tower = "vision_model" if name.startswith("visual.") else "text_model"
    return f"{tower}.encoder.layers.{name.split('resblocks.')[1]}"
