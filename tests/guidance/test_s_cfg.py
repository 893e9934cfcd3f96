"""S-CFG against its released arithmetic, written out, and the laws of its rates."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention as Module
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from mitune.backbones.attention import Attention, AttentionLayer
from mitune.backbones.stable_diffusion import UNetDenoiser
from mitune.diffusion.denoiser import Condition
from mitune.diffusion.noise import DiscretePath
from mitune.guidance import SemanticAware
from mitune.guidance.s_cfg import SemanticAwareGuiding, refine, region_rates
from mitune.guidance.smoothing import smooth

TOKENS, SIDE = 7, 16


@pytest.fixture(scope="module")
def model() -> SimpleNamespace:
    """A network that attends at half and at a quarter of the latent's size."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=SIDE,
        block_out_channels=(8, 16, 16),
        norm_num_groups=4,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        cross_attention_dim=8,
    )
    unet.eval().requires_grad_(False)
    # Sharper maps than those of an untrained network.
    for attention in (m for m in unet.modules() if isinstance(m, Module)):
        attention.to_q.weight.mul_(8)
    denoiser = UNetDenoiser(unet, DiscretePath.scaled_linear(), "epsilon")
    return SimpleNamespace(network=unet, denoiser=denoiser)


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    z_t = torch.randn(2, 4, SIDE, SIDE, generator=generator)
    text, empty = (torch.randn(n, TOKENS, 8, generator=generator) for n in (2, 1))
    return z_t, text, empty


def start(model, settings: SemanticAware) -> SemanticAwareGuiding:
    _, text, empty = inputs()
    return settings.start(model, ["", ""], *(Condition({"prompt": x}) for x in (text, empty)), 4)


class Kept:
    """Attention probabilities of every layer, by grid, as the release stores them."""

    def __init__(self) -> None:
        self.maps = {(kind, side): [] for kind in ("cross", "self") for side in (8, 4)}

    def __call__(self, attn: Module, hidden_states, encoder_hidden_states=None, **_):
        cross = encoder_hidden_states is not None
        texts = encoder_hidden_states if cross else hidden_states
        q, k, v = (
            attn.head_to_batch_dim(project(x))
            for project, x in ((attn.to_q, hidden_states), (attn.to_k, texts), (attn.to_v, texts))
        )
        probabilities = attn.get_attention_scores(q, k)
        side = round(probabilities.shape[1] ** 0.5)
        mean = probabilities.unflatten(0, (-1, attn.heads)).mean(1)
        self.maps["cross" if cross else "self", side].append(mean)
        return attn.to_out[0](attn.batch_to_head_dim(probabilities @ v))


def blurred(image: torch.Tensor) -> torch.Tensor:
    side = torch.tensor([-1.0, 0.0, 1.0])
    kernel = torch.exp(-(side[:, None] ** 2 + side[None] ** 2))
    kernel = kernel / kernel.sum()
    padded = functional.pad(image[None], (1, 1, 1, 1), mode="reflect")[0]
    height, width = image.shape
    return torch.stack(
        [
            torch.stack([(padded[i : i + 3, j : j + 3] * kernel).sum() for j in range(width)])
            for i in range(height)
        ]
    )


def published(kept: Kept, c: torch.Tensor, u: torch.Tensor, powers: str, scale: float):
    """Image by image and token by token."""
    guided = []
    for image in range(len(c)):
        claims, ground = torch.zeros(TOKENS, 8, 8), torch.zeros(2, 8, 8)
        for side in (8, 4):
            layers = zip(kept.maps["self", side], kept.maps["cross", side], strict=True)
            for own, cross in layers:
                for half in (image, len(c) + image):  # [null; conditional]
                    s = own[half]
                    if powers == "released":
                        mixed = (s + 3 * s @ s) / 4
                    else:
                        mixed = sum(torch.linalg.matrix_power(s, k) for k in (1, 2, 3, 4)) / 4
                    maps = (mixed @ cross[half]).T.reshape(TOKENS, side, side)
                    if side == 4:
                        maps = functional.interpolate(
                            maps[None], scale_factor=2, mode="bilinear", align_corners=False
                        )[0]
                    maps = torch.stack([blurred(m) for m in maps])
                    if half == image:
                        pair = torch.stack([maps[0], maps[1:].sum(0)])
                        ground += pair / pair.mean(dim=(1, 2), keepdim=True)
                    else:
                        claims += maps / maps.mean(dim=(1, 2), keepdim=True)
        owner = claims.argmax(0).repeat_interleave(2, 0).repeat_interleave(2, 1)
        front = (ground.argmax(0) == 1).repeat_interleave(2, 0).repeat_interleave(2, 1)
        difference = c[image] - u[image]
        norms = difference.square().sum(0).sqrt()
        rate = torch.zeros(SIDE, SIDE)
        assert front.any() and len(owner.unique()) > 1
        for token in owner.unique():
            rate[owner == token] = norms[front].mean() / norms[owner == token].mean()
        rate = blurred(rate.clamp(0.8, 3).clamp(max=15 / scale))
        guided.append(u[image] + scale * rate * difference)
    return torch.stack(guided)


@pytest.mark.parametrize("powers", ["released", "intended"])
@pytest.mark.parametrize("scale", [3.0, 14.0])
@torch.no_grad()
def test_it_is_the_published_formula(model, powers: str, scale: float) -> None:
    settings = SemanticAware(scale=scale, powers=powers, downsamplings=(2, 4))
    z_t, text, empty = inputs()
    t = torch.tensor([600, 600])
    found = start(model, settings)(0, z_t, t).guided.raw

    kept = Kept()
    fast = model.network.attn_processors
    model.network.set_attn_processor(kept)
    texts = torch.cat([empty.expand(2, -1, -1), text])
    u, c = model.network(torch.cat([z_t, z_t]), 600, texts).sample.chunk(2)
    model.network.set_attn_processor(fast)
    expected = published(kept, c, u, powers, scale)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found, u + scale * (c - u), rtol=1e-2, atol=1e-2)


def test_grids_that_the_network_does_not_have_are_passed_over(model) -> None:
    """By default it takes grids of 16 x 16 and 8 x 8."""
    for settings, grid in ((SemanticAware(downsamplings=(4, 8)), 4), (SemanticAware(), 2)):
        guiding = start(model, settings)
        assert {layer.downsampling for layer in guiding.layers} == {grid}


def masks() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Differences (2, 4, 8, 8), six regions, and a foreground."""
    generator = torch.Generator().manual_seed(2)
    owner = torch.randint(6, (2, 8, 8), generator=generator)
    regions = functional.one_hot(owner, 6).movedim(-1, 1).float()
    foreground = (torch.rand(2, 1, 8, 8, generator=generator) > 0.5).float()
    return torch.randn(2, 4, 8, 8, generator=generator), regions, foreground


def test_rates_are_those_of_regions() -> None:
    difference, regions, foreground = masks()
    found = region_rates(difference, regions, foreground)
    # Guided by them, every region differs as much as the foreground does on average.
    norms = (found * difference).norm(dim=1)
    plain = difference.norm(dim=1)
    for image in range(2):
        front = plain[image][foreground[image, 0] > 0].mean()
        for region in regions[image] > 0:
            torch.testing.assert_close(norms[image][region].mean(), front)
    torch.testing.assert_close(region_rates(7 * difference, regions, foreground), found)
    alike = difference / difference.norm(dim=1, keepdim=True)
    torch.testing.assert_close(
        region_rates(alike, regions, foreground), torch.ones(2, 1, 8, 8), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(("scale", "highest"), [(1.0, 3.0), (7.5, 2.0), (0.0, 3.0)])
def test_rates_are_bounded(model, scale: float, highest: float) -> None:
    difference, regions, foreground = masks()
    difference[:, :, :4] *= 20
    guiding = start(model, SemanticAware(scale=scale, downsamplings=(2,)))
    found = guiding.rate(difference, regions, foreground)
    assert found.min() >= 0.8 - 1e-6 and found.max() <= highest + 1e-6


@pytest.mark.parametrize("powers", ["released", "intended"])
def test_refining_by_self_attention_is_an_average(powers: str) -> None:
    generator = torch.Generator().manual_seed(3)
    layer = AttentionLayer(SimpleNamespace(heads=2, scale=1.0), 1)
    queries, keys = torch.randn(2, 2, 9, 8, generator=generator)
    own = Attention(layer, 2 * queries, keys)
    alike = torch.full((2, 9, 4), 0.3)
    torch.testing.assert_close(refine(own, alike, powers), alike)
    # Every place attends to itself alone: its key is the longest along its query.
    places = 40 * torch.eye(9, 8).expand(2, 9, 8)
    places = torch.cat([places[:, :8], -places[:, :8].sum(1, keepdim=True)], dim=1).repeat(1, 1, 2)
    cross = torch.rand(2, 9, 4, generator=generator)
    torch.testing.assert_close(refine(Attention(layer, places, places), cross, powers), cross)
    # The first power alone is the same in both, the fourth is not.
    own_map = own.map()
    expected = sum(torch.linalg.matrix_power(own_map, k) @ cross for k in (1, 2, 3, 4)) / 4
    assert torch.allclose(refine(own, cross, powers), expected) == (powers == "intended")


class Largest(TorchDispatchMode):
    """Elements of the largest tensor that any operation makes."""

    elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        made = result if isinstance(result, tuple | list) else [result]
        sizes = [x.numel() for x in made if isinstance(x, torch.Tensor)]
        self.elements = max(self.elements, *sizes, 0)
        return result


@torch.no_grad()
def test_memory_does_not_grow_with_the_square_of_the_pixels(model) -> None:
    """On latents of 64 x 64, at every grid: the map of the finest would have 4 heads x 1024^2."""
    generator = torch.Generator().manual_seed(5)
    z_t = torch.randn(1, 4, 64, 64, generator=generator)
    _, text, empty = inputs()
    settings = SemanticAware(downsamplings=(2, 4), powers="intended")
    texts = (Condition({"prompt": x}) for x in (text[:1], empty))
    guiding = settings.start(model, [""], *texts, 4)
    with Largest() as largest:
        found = guiding(0, z_t, torch.tensor([600]))
    assert found.guided.raw.isfinite().all()
    assert 0 < largest.elements < 1024**2 / 2, largest.elements


def test_smoothing_keeps_a_constant_and_the_mirror() -> None:
    ones = torch.ones(1, 2, 4, 6)
    torch.testing.assert_close(smooth(ones), ones)
    maps = torch.rand(2, 3, 4, 6, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(smooth(maps.flip(-1)), smooth(maps).flip(-1))
    torch.testing.assert_close(smooth(maps)[1, 2], blurred(maps[1, 2]))
