"""Attention maps against diffusers' own slow arithmetic, and no trace of having looked."""

from collections.abc import Callable

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention as Module

from mitune.backbones.attention import Attention, attention_layers, grids_near
from mitune.backbones.attention_hooks import keys_from, values_from, watched
from mitune.errors import UserError
from tests.contracts.tiny import build

DEEPEST = 2  # the tiny networks halve the grid once, and attend only there


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    return build("sd").unet.eval().requires_grad_(False)


def inputs(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    z_t = torch.randn(2, 4, 8, 8, generator=generator)
    return z_t, torch.tensor(500), torch.randn(2, 24, 32, generator=generator)


class Slow:
    """diffusers' attention scores, kept: the processor that its own pipelines read maps with."""

    def __init__(self, kept: list[torch.Tensor], cross: bool) -> None:
        self.kept, self.cross = kept, cross

    def __call__(self, attn: Module, hidden_states, encoder_hidden_states=None, **_):
        texts = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        q, k, v = (
            attn.head_to_batch_dim(project(x))
            for project, x in ((attn.to_q, hidden_states), (attn.to_k, texts), (attn.to_v, texts))
        )
        probabilities = attn.get_attention_scores(q, k)
        if (encoder_hidden_states is not None) == self.cross:
            self.kept.append(probabilities.unflatten(0, (-1, attn.heads)).mean(1))
        return attn.to_out[0](attn.batch_to_head_dim(probabilities @ v))


@pytest.mark.parametrize("kind", ["cross", "self"])
def test_maps_are_diffusers_own_and_outputs_do_not_change(unet, kind: str) -> None:
    z_t, t, texts = inputs()
    plain = unet(z_t, t, texts).sample
    taken: list[Attention] = []
    with watched(attention_layers(unet, kind), taken.append):
        seen = unet(z_t, t, texts).sample
    assert torch.equal(seen, plain)
    maps = [attention.map() for attention in taken]

    kept: list[torch.Tensor] = []
    fast = unet.attn_processors
    unet.set_attn_processor(Slow(kept, kind == "cross"))
    unet(z_t, t, texts)
    unet.set_attn_processor(fast)
    assert len(maps) == len(kept) > 1
    for found, expected in zip(maps, kept, strict=True):
        assert found.shape == (2, 16, 24 if kind == "cross" else 16)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(found.sum(-1), torch.ones(2, 16))


def test_leaving_early_gives_the_same_maps_and_gradients(unet) -> None:
    z_t, t, texts = inputs()
    z_t.requires_grad_(True)
    layers = attention_layers(unet, "cross", [DEEPEST])
    gradients = []
    past_the_end: list[bool] = []
    end = unet.conv_out.register_forward_hook(lambda *_: past_the_end.append(True))
    for early in (False, True):
        taken: list[Attention] = []
        with watched(layers, taken.append, leave_after_last=early):
            unet(z_t, t, texts)
        maps = torch.stack([attention.map() for attention in taken])
        gradients.append(torch.autograd.grad(maps[..., 3].amax(), z_t)[0])
    end.remove()
    assert past_the_end == [True]
    assert torch.equal(*gradients) and gradients[0].abs().max() > 0


def test_values_come_from_other_texts_and_keys_do_not(unet) -> None:
    z_t, t, texts = inputs()
    layers = attention_layers(unet, "cross")
    plain = unet(z_t, t, texts).sample
    with values_from(layers, texts.clone()):
        assert torch.equal(unet(z_t, t, texts).sample, plain)
    _, _, others = inputs(1)
    taken: list[Attention] = []
    with watched(layers[:1], taken.append), values_from(layers, others):
        changed = unet(z_t, t, texts).sample
    with watched(layers[:1], taken.append):
        assert torch.equal(unet(z_t, t, texts).sample, plain)
    assert not torch.allclose(changed, plain)
    assert torch.equal(*(attention.map() for attention in taken))


class SeveralKeys:
    """The mean of as many attentions as there are keys, each written out, on shared values."""

    def __init__(self, keys: list[list[torch.Tensor]], values: torch.Tensor) -> None:
        self.keys, self.values = keys, values

    def __call__(self, attn: Module, hidden_states, encoder_hidden_states=None, **_):
        rows = []
        for row, pixels in enumerate(hidden_states.split(1)):
            keys = [pixels] if encoder_hidden_states is None else self.keys[row]
            values = pixels if encoder_hidden_states is None else self.values[row : row + 1]
            q, v = (
                attn.head_to_batch_dim(project(x))
                for project, x in ((attn.to_q, pixels), (attn.to_v, values))
            )
            every = [attn.head_to_batch_dim(attn.to_k(text)) for text in keys]
            mean = sum(attn.get_attention_scores(q, k) @ v for k in every) / len(every)
            rows.append(attn.batch_to_head_dim(mean))
        return attn.to_out[0](torch.cat(rows))


def test_keys_come_from_several_texts_each_with_its_share(unet) -> None:
    """A row with one text of three is not touched by the others; nothing is, without a choice."""
    z_t, t, texts = inputs()
    layers = attention_layers(unet, "cross")
    generator = torch.Generator().manual_seed(2)
    keys = torch.randn(2, 3, 24, 32, generator=generator)
    shares = torch.tensor([[1 / 3] * 3, [1.0, 0.0, 0.0]])
    values = torch.randn(2, 24, 32, generator=generator)
    with keys_from(layers, keys, shares, values):
        found = unet(z_t, t, texts).sample
    fast = unet.attn_processors
    unet.set_attn_processor(SeveralKeys([list(keys[0, :, None]), [keys[1, :1]]], values))
    expected = unet(z_t, t, texts).sample
    unet.set_attn_processor(fast)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    with keys_from(layers, texts[:, None].repeat(1, 3, 1, 1), shares, texts):
        same = unet(z_t, t, texts).sample
    torch.testing.assert_close(same, unet(z_t, t, texts).sample, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["cross", "self"])
def test_averaging_is_multiplying_by_the_map(unet, kind: str) -> None:
    z_t, t, texts = inputs()
    taken: list[Attention] = []
    with torch.no_grad(), watched(attention_layers(unet, kind), taken.append):
        unet(z_t, t, texts)
    for width in (1, 3, 40):  # narrower and wider than a head
        for attention in taken:
            generator = torch.Generator().manual_seed(width)
            values = torch.randn(2, attention.keys.shape[1], width, generator=generator)
            torch.testing.assert_close(attention.average(values), attention.map() @ values)


def watching(layers):
    return watched(layers, lambda _: None)


def values_from_others(layers):
    return values_from(layers, inputs()[2])


def keys_from_others(layers):
    texts = inputs()[2]
    return keys_from(layers, texts[:, None], torch.ones(2, 1), texts)


@pytest.mark.parametrize("access", [watching, values_from_others, keys_from_others])
def test_an_error_inside_leaves_no_hook(unet, access: Callable) -> None:
    with pytest.raises(RuntimeError, match="inside"), access(attention_layers(unet, "cross")):
        raise RuntimeError("inside")
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in unet.modules())


def test_layers_are_told_by_their_grid(unet) -> None:
    z_t, t, texts = inputs()
    layers = attention_layers(unet, "cross")
    assert {layer.downsampling for layer in layers} == {DEEPEST}
    taken: list[Attention] = []
    with watched(layers, taken.append):
        unet(z_t, t, texts)
    assert tuple(attention.layer for attention in taken) == layers
    for attention in taken:
        assert attention.map().shape[1] == (8 // attention.layer.downsampling) ** 2


@pytest.mark.parametrize(
    ("size", "sides", "grids"),
    [
        (64, (16, 8), (4, 8)),
        (64, (16,), (4,)),
        (128, (16, 8), (8,)),
        ((32, 128), (16, 8), (4, 8)),
        (16, (16, 8), (2,)),
        (8, (16,), (2,)),
        (1024, (16,), (8,)),
    ],
)
def test_grids_are_chosen_by_their_side(size, sides, grids) -> None:
    unet = UNet2DConditionModel(
        sample_size=size,
        block_out_channels=(4, 4, 4, 4),
        norm_num_groups=2,
        layers_per_block=1,
        down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * 3),
        up_block_types=(*["CrossAttnUpBlock2D"] * 3, "UpBlock2D"),
        attention_head_dim=2,
        cross_attention_dim=4,
    )
    assert grids_near(unet, sides) == grids


def test_a_network_without_such_attention_is_refused(unet) -> None:
    with pytest.raises(UserError, match="downsampled by 4; this network has it at 2"):
        attention_layers(unet, "cross", [4])
    with pytest.raises(UserError, match="SD3Transformer2DModel attends to texts and image jointly"):
        attention_layers(build("sd3").transformer, "cross")
