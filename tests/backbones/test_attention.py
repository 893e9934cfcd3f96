"""Attention maps against diffusers' own slow arithmetic, and no trace of having looked."""

from collections.abc import Callable

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention

from mitune.backbones.attention import attention_layers, attention_maps, values_from
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

    def __call__(self, attn: Attention, hidden_states, encoder_hidden_states=None, **_):
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
    maps: list[torch.Tensor] = []
    with attention_maps(attention_layers(unet, kind), lambda _, found: maps.append(found)):
        watched = unet(z_t, t, texts).sample
    assert torch.equal(watched, plain)

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
        maps: list[torch.Tensor] = []
        with attention_maps(layers, lambda _, m, maps=maps: maps.append(m), leave_after_last=early):
            unet(z_t, t, texts)
        gradients.append(torch.autograd.grad(torch.stack(maps)[..., 3].amax(), z_t)[0])
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
    maps: list[torch.Tensor] = []
    first = attention_maps(layers[:1], lambda _, found: maps.append(found))
    with first, values_from(layers, others):
        changed = unet(z_t, t, texts).sample
    with attention_maps(layers[:1], lambda _, found: maps.append(found)):
        assert torch.equal(unet(z_t, t, texts).sample, plain)
    assert not torch.allclose(changed, plain)
    assert torch.equal(*maps)


def maps_of(layers):
    return attention_maps(layers, lambda _, found: None)


def values_from_others(layers):
    return values_from(layers, inputs()[2])


@pytest.mark.parametrize("access", [maps_of, values_from_others])
def test_an_error_inside_leaves_no_hook(unet, access: Callable) -> None:
    with pytest.raises(RuntimeError, match="inside"), access(attention_layers(unet, "cross")):
        raise RuntimeError("inside")
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in unet.modules())


def test_layers_are_told_by_their_grid(unet) -> None:
    z_t, t, texts = inputs()
    layers = attention_layers(unet, "cross")
    assert {layer.downsampling for layer in layers} == {DEEPEST}
    taken = []
    with attention_maps(layers, lambda layer, found: taken.append((layer, found))):
        unet(z_t, t, texts)
    assert tuple(layer for layer, _ in taken) == layers
    for layer, found in taken:
        assert found.shape[1] == (8 // layer.downsampling) ** 2
    with pytest.raises(UserError, match="downsampled by 4; this network has it at 2"):
        attention_layers(unet, "cross", [4])
    with pytest.raises(UserError, match="SD3Transformer2DModel attends to texts and image jointly"):
        attention_layers(build("sd3").transformer, "cross")
