"""CLIP written out in plain torch over a state dict with open_clip's names."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

State = dict[str, Tensor]
VOCABULARY, CONTEXT = 684, 24  # the miniature's tokenizer
HEADS = 2
SIZE, PATCH = 32, 8


def random_state(seed: int = 0, layers: int = 2) -> State:
    """Head widths are ViT-H-14's, 80 and 64; everything else is small."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float = 0.2) -> Tensor:
        return scale * torch.randn(shape, generator=generator)

    vision, text, projection = 80 * HEADS, 64 * HEADS, 48
    state = {
        "visual.class_embedding": normal(vision),
        "visual.positional_embedding": normal((SIZE // PATCH) ** 2 + 1, vision),
        "visual.conv1.weight": normal(vision, 3, PATCH, PATCH),
        "visual.proj": normal(vision, projection),
        "token_embedding.weight": normal(VOCABULARY, text),
        "positional_embedding": normal(CONTEXT, text),
        "text_projection": normal(text, projection),
        "logit_scale": torch.tensor(math.log(100.0)),
    }
    norms = {"visual.ln_pre": vision, "visual.ln_post": vision, "ln_final": text}
    for tower, width in (("visual.transformer", vision), ("transformer", text)):
        for layer in range(layers):
            block = f"{tower}.resblocks.{layer}"
            norms |= {f"{block}.ln_1": width, f"{block}.ln_2": width}
            state |= {
                f"{block}.attn.in_proj_weight": normal(3 * width, width),
                f"{block}.attn.in_proj_bias": normal(3 * width),
                f"{block}.attn.out_proj.weight": normal(width, width),
                f"{block}.attn.out_proj.bias": normal(width),
                f"{block}.mlp.c_fc.weight": normal(3 * width, width),
                f"{block}.mlp.c_fc.bias": normal(3 * width),
                f"{block}.mlp.c_proj.weight": normal(width, 3 * width),
                f"{block}.mlp.c_proj.bias": normal(width),
            }
    for name, width in norms.items():
        state |= {f"{name}.weight": 1 + normal(width), f"{name}.bias": normal(width)}
    return state


def norm(state: State, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])


def blocks(state: State, tower: str, x: Tensor, mask: Tensor | None) -> Tensor:
    layer = 0
    while f"{tower}.resblocks.{layer}.ln_1.weight" in state:
        block = f"{tower}.resblocks.{layer}"
        y = norm(state, f"{block}.ln_1", x).transpose(0, 1)
        y, _ = F.multi_head_attention_forward(
            y, y, y, x.shape[-1], HEADS,
            state[f"{block}.attn.in_proj_weight"], state[f"{block}.attn.in_proj_bias"],
            None, None, False, 0.0,
            state[f"{block}.attn.out_proj.weight"], state[f"{block}.attn.out_proj.bias"],
            training=False, need_weights=False, attn_mask=mask,
        )  # fmt: skip
        x = x + y.transpose(0, 1)
        y = norm(state, f"{block}.ln_2", x)
        y = F.gelu(F.linear(y, state[f"{block}.mlp.c_fc.weight"], state[f"{block}.mlp.c_fc.bias"]))
        x = x + F.linear(y, state[f"{block}.mlp.c_proj.weight"], state[f"{block}.mlp.c_proj.bias"])
        layer += 1
    return x


def image_vectors(state: State, pixels: Tensor) -> Tensor:
    x = F.conv2d(pixels, state["visual.conv1.weight"], stride=PATCH).flatten(2).transpose(1, 2)
    first = state["visual.class_embedding"].expand(len(x), 1, -1)
    x = torch.cat([first, x], 1) + state["visual.positional_embedding"]
    x = blocks(state, "visual.transformer", norm(state, "visual.ln_pre", x), None)
    return norm(state, "visual.ln_post", x[:, 0]) @ state["visual.proj"]


def text_vectors(state: State, ids: Tensor) -> Tensor:
    length = ids.shape[1]
    x = state["token_embedding.weight"][ids] + state["positional_embedding"][:length]
    mask = torch.full((length, length), -math.inf).triu(1)
    x = norm(state, "ln_final", blocks(state, "transformer", x, mask))
    return x[torch.arange(len(ids)), ids.argmax(-1)] @ state["text_projection"]
