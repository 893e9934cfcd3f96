"""Names of tensors in Salesforce's BLIP checkpoints, as transformers names them."""

from __future__ import annotations

_VISION = (
    ("visual_encoder.norm.", "visual_encoder.post_layernorm."),
    ("visual_encoder.", "vision_model."),
    (".blocks.", ".encoder.layers."),
    (".attn.proj.", ".self_attn.projection."),
    (".attn.", ".self_attn."),
    (".norm1.", ".layer_norm1."),
    (".norm2.", ".layer_norm2."),
    (".patch_embed.proj.", ".embeddings.patch_embedding."),
    (".pos_embed", ".embeddings.position_embedding"),
    (".cls_token", ".embeddings.class_embedding"),
)


def blip_name(name: str) -> str:
    """`visual_encoder.*` becomes `vision_model.*`; the text encoders are called the same."""
    if name.startswith("visual_encoder."):
        for released, renamed in _VISION:
            name = name.replace(released, renamed)
    return name
