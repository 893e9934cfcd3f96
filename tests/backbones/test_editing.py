"""Editing by diffusers' own pipelines: image-to-image of every family, and InstructPix2Pix."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInstructPix2PixPipeline

from mitune.backbones import ModelRef
from mitune.backbones.base import ModelError
from mitune.backbones.editing import Editing, edited, follows_instructions, open_editor
from tests.contracts import tiny

SETTINGS = Editing(steps=4, guidance_scale=2.0, strength=0.5)


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def pictures(count: int, size: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (count, size, size, 3), np.uint8)


def saved(pipeline, folder: Path) -> ModelRef:
    torch.manual_seed(0)
    pipeline.save_pretrained(folder)
    return ModelRef(str(folder), "tiny")


def instruct_pix2pix(channels: int = 8) -> StableDiffusionInstructPix2PixPipeline:
    parts = tiny.stable_diffusion().components
    parts["unet"] = tiny._unet(cross_attention_dim=tiny.WIDTH, in_channels=channels, out_channels=4)
    parts |= {"image_encoder": None}
    return StableDiffusionInstructPix2PixPipeline(**parts, requires_safety_checker=False)


FAMILIES = {
    "sd": tiny.stable_diffusion,
    "sdxl": tiny.stable_diffusion_xl,
    "sd3": tiny.stable_diffusion_3,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_edits_a_picture_by_its_own_seed(family: str, tmp_path: Path) -> None:
    backbone = open_editor(saved(FAMILIES[family](), tmp_path), torch.device("cpu"))
    settings = SETTINGS
    if family == "sd3":
        settings = settings.model_copy(update={"sampler": "flow_euler"})
    given, texts = pictures(2, backbone.image_size), ["a red star", "a blue cross"]
    both = edited(backbone, given, texts, generators(1, 2), settings)
    assert both.shape == given.shape and both.dtype == np.uint8
    alone = edited(backbone, given[1:], texts[1:], generators(2), settings)
    assert np.abs(both[1].astype(int) - alone[0]).max() <= 2
    other = edited(backbone, given[1:], texts[1:], generators(3), settings)
    assert np.abs(other[0].astype(int) - alone[0]).max() > 2


def test_the_weaker_the_edit_the_more_of_the_picture_is_left(model: ModelRef) -> None:
    from mitune.miniature.caption import read
    from mitune.miniature.layout import sample_scene
    from mitune.miniature.render import render_all

    rng = np.random.default_rng(0)
    scenes = [sample_scene(read("a red star and a blue cross"), rng) for _ in range(4)]
    given = render_all(scenes)
    backbone = open_editor(model, torch.device("cpu"))
    changes = []
    for strength in (0.2, 0.9):
        settings = Editing(steps=10, guidance_scale=1.5, strength=strength)
        texts = ["a green star and a blue cross"] * 4
        found = edited(backbone, given, texts, generators(1, 2, 3, 4), settings)
        changes.append(np.abs(found.astype(int) - given).mean())
    assert changes[0] < changes[1] / 2


def test_instruct_pix2pix_is_its_own_pipeline(tmp_path: Path) -> None:
    """The same numbers as diffusers' pipeline called by hand."""
    from PIL import Image

    ref = saved(instruct_pix2pix(), tmp_path)
    assert follows_instructions(ref)
    backbone = open_editor(ref, torch.device("cpu"))
    assert backbone.latent_shape == (4, 8, 8) and backbone.image_size == 16
    given, texts = pictures(2), ["make it red", "make it blue"]
    found = edited(backbone, given, texts, generators(1, 2), SETTINGS)
    plain = StableDiffusionInstructPix2PixPipeline.from_pretrained(
        tmp_path, safety_checker=None, requires_safety_checker=False
    )
    by_hand = plain(
        texts,
        [Image.fromarray(picture) for picture in given],
        num_inference_steps=4,
        guidance_scale=2.0,
        image_guidance_scale=1.5,
        generator=generators(1, 2),
        output_type="np",
    ).images
    np.testing.assert_allclose(found, np.rint(by_hand * 255), atol=1)
    with pytest.raises(ModelError, match="edits pictures and paints none"):
        _ = backbone.denoiser


def test_another_number_of_channels_is_refused(tmp_path: Path) -> None:
    ref = saved(instruct_pix2pix(channels=4), tmp_path)
    with pytest.raises(ModelError, match="has 4 input channels, InstructPix2Pix needs 8"):
        open_editor(ref, torch.device("cpu"))
