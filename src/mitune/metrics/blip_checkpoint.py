"""The original checkpoint of BLIP-VQA (480 pixels) as a transformers model.

The converted weights on the hub are for 384 pixels: their position table was interpolated when
they were converted, so only the original gives the published numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from transformers import BlipConfig, BlipForQuestionAnswering

_VISUAL = "visual_encoder."
_RENAMED = (
    (r"^blocks\.", "encoder.layers."),
    (r"\.attn\.proj\.", ".self_attn.projection."),
    (r"\.attn\.", ".self_attn."),
    (r"\.norm([12])\.", r".layer_norm\1."),
    (r"^norm\.", "post_layernorm."),
    (r"^patch_embed\.proj\.", "embeddings.patch_embedding."),
    (r"^pos_embed$", "embeddings.position_embedding"),
    (r"^cls_token$", "embeddings.class_embedding"),
)


def official_config() -> BlipConfig:
    """ViT-B/16 at 480 pixels with BERT-base twice; the norms of the ViT as in the original."""
    vision = {"image_size": 480, "layer_norm_eps": 1e-6}
    return BlipConfig(text_config={"encoder_hidden_size": 768}, vision_config=vision)


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under transformers' names: the text parts are called alike, the ViT is not."""
    found = {}
    for name, tensor in state.items():
        if name.endswith("position_ids"):
            continue
        if name.startswith(_VISUAL):
            bare = name.removeprefix(_VISUAL)
            for pattern, replacement in _RENAMED:
                bare = re.sub(pattern, replacement, bare)
            found[f"vision_model.{bare}"] = tensor
        else:
            found[name] = tensor
    return found


def load_original(path: Path, config: BlipConfig | None = None) -> BlipForQuestionAnswering:
    """Read `model_base_vqa_capfilt_large.pth`. Raises whatever torch does if it is not one."""
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)["model"]
    model = BlipForQuestionAnswering(config or official_config())
    model.load_state_dict(renamed(state))
    return model
