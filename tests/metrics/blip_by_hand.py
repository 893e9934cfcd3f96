"""ImageReward's network in plain torch over a state dict with the released names."""

import torch
from torch import Tensor
from torch.nn import functional as F

State = dict[str, Tensor]
VISION, TEXT, HEAD = 128, 192, 64  # two and three heads
SIZE, PATCH = 32, 8
MLP = {0: (1024, TEXT), 2: (128, 1024), 4: (64, 128), 6: (16, 64), 7: (1, 16)}


def random_state(vocabulary: int, layers: int = 2) -> State:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int, scale: float = 0.2) -> Tensor:
        return scale * torch.randn(shape, generator=generator)

    eye, bert = "blip.visual_encoder", "blip.text_encoder"
    state = {
        f"{eye}.cls_token": normal(1, 1, VISION),
        f"{eye}.pos_embed": normal(1, (SIZE // PATCH) ** 2 + 1, VISION),
        f"{eye}.patch_embed.proj.weight": normal(VISION, 3, PATCH, PATCH),
        f"{eye}.patch_embed.proj.bias": normal(VISION),
        f"{bert}.embeddings.word_embeddings.weight": normal(vocabulary, TEXT),
        f"{bert}.embeddings.position_embeddings.weight": normal(64, TEXT),
        f"{bert}.embeddings.position_ids": torch.arange(64)[None],
        "blip.vision_proj.weight": normal(16, VISION),
        "blip.text_proj.weight": normal(16, TEXT),
    }
    linear: dict[str, tuple[int, int]] = {}
    norms = {f"{eye}.norm": VISION, f"{bert}.embeddings.LayerNorm": TEXT}
    for layer in range(layers):
        block = f"{eye}.blocks.{layer}"
        norms |= {f"{block}.norm1": VISION, f"{block}.norm2": VISION}
        linear |= {
            f"{block}.attn.qkv": (3 * VISION, VISION),
            f"{block}.attn.proj": (VISION, VISION),
            f"{block}.mlp.fc1": (200, VISION),
            f"{block}.mlp.fc2": (VISION, 200),
        }
        block = f"{bert}.encoder.layer.{layer}"
        for attention, keys in (("attention", TEXT), ("crossattention", VISION)):
            linear |= {
                f"{block}.{attention}.self.query": (TEXT, TEXT),
                f"{block}.{attention}.self.key": (TEXT, keys),
                f"{block}.{attention}.self.value": (TEXT, keys),
                f"{block}.{attention}.output.dense": (TEXT, TEXT),
            }
            norms[f"{block}.{attention}.output.LayerNorm"] = TEXT
        linear |= {
            f"{block}.intermediate.dense": (300, TEXT),
            f"{block}.output.dense": (TEXT, 300),
        }
        norms[f"{block}.output.LayerNorm"] = TEXT
    linear |= {f"mlp.layers.{number}": shape for number, shape in MLP.items()}
    for name, (out, into) in linear.items():
        scale = into**-0.5 if name.startswith("mlp") else 0.2
        state |= {f"{name}.weight": normal(out, into, scale=scale), f"{name}.bias": normal(out)}
    for name, width in norms.items():
        state |= {f"{name}.weight": 1 + normal(width), f"{name}.bias": normal(width)}
    return state


def linear(state: State, name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def norm(state: State, name: str, x: Tensor, eps: float) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], eps)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """One picture or one text: (L, D)."""
    parts = []
    for start in range(0, q.shape[1], HEAD):
        head = slice(start, start + HEAD)
        weights = torch.softmax(q[:, head] @ k[:, head].T / HEAD**0.5, -1)
        parts.append(weights @ v[:, head])
    return torch.cat(parts, 1)


def see(state: State, pixels: Tensor) -> Tensor:
    """(3, S, S) to (patches + 1, VISION)."""
    eye = "blip.visual_encoder"
    weight, bias = (state[f"{eye}.patch_embed.proj.{part}"] for part in ("weight", "bias"))
    patches = F.conv2d(pixels[None], weight, bias, stride=PATCH)[0].flatten(1).T
    x = torch.cat([state[f"{eye}.cls_token"][0], patches]) + state[f"{eye}.pos_embed"][0]
    layer = 0
    while (block := f"{eye}.blocks.{layer}") + ".norm1.weight" in state:
        q, k, v = linear(state, f"{block}.attn.qkv", norm(state, f"{block}.norm1", x, 1e-6)).chunk(
            3, -1
        )
        x = x + linear(state, f"{block}.attn.proj", attend(q, k, v))
        y = F.gelu(linear(state, f"{block}.mlp.fc1", norm(state, f"{block}.norm2", x, 1e-6)))
        x = x + linear(state, f"{block}.mlp.fc2", y)
        layer += 1
    return norm(state, f"{eye}.norm", x, 1e-6)


def read(state: State, ids: Tensor, seen: Tensor) -> Tensor:
    """(L,) without padding, and what was seen, to (TEXT,) at position 0."""
    bert = "blip.text_encoder"
    x = state[f"{bert}.embeddings.word_embeddings.weight"][ids]
    x = x + state[f"{bert}.embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(state, f"{bert}.embeddings.LayerNorm", x, 1e-12)
    layer = 0
    while (block := f"{bert}.encoder.layer.{layer}") + ".output.dense.weight" in state:
        for attention in ("attention", "crossattention"):
            name = f"{block}.{attention}"
            source = x if attention == "attention" else seen
            q = linear(state, f"{name}.self.query", x)
            k, v = (linear(state, f"{name}.self.{part}", source) for part in ("key", "value"))
            y = linear(state, f"{name}.output.dense", attend(q, k, v))
            x = norm(state, f"{name}.output.LayerNorm", x + y, 1e-12)
        y = linear(
            state, f"{block}.output.dense", F.gelu(linear(state, f"{block}.intermediate.dense", x))
        )
        x = norm(state, f"{block}.output.LayerNorm", x + y, 1e-12)
        layer += 1
    return x[0]


def reward(state: State, ids: Tensor, pixels: Tensor) -> float:
    x = read(state, ids, see(state, pixels))
    for number in MLP:
        x = linear(state, f"mlp.layers.{number}", x)
    return (float(x) - 0.16717362830052426) / 1.0333394966054072
