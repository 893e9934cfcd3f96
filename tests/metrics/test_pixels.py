"""Preparing a picture equals what each metric's own code does, odd sides included."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from mitune.metrics.padded_pixels import PaddedPixels
from mitune.metrics.pixels import Pixels

SIZE = 32
SHAPES = [(32, 32), (40, 45), (45, 40), (33, 64), (35, 32), (32, 37), (31, 50), (101, 77), (20, 23)]


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_rounding_down_is_transformers_processor(height: int, width: int) -> None:
    image = picture(height, width)
    sides = {"size": {"shortest_edge": SIZE}, "crop_size": {"height": SIZE, "width": SIZE}}
    processor = CLIPImageProcessorPil(**sides)
    expected = processor(Image.fromarray(image), return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(Pixels(SIZE, "crop_floor")(image[None]), expected)


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_rounding_to_even_is_torchvisions(height: int, width: int) -> None:
    """What OpenAI's CLIP, and so T2I-CompBench and the aesthetic predictor, and ImageReward do."""
    transforms = pytest.importorskip("torchvision.transforms")
    image = picture(height, width)
    resize = transforms.Resize(SIZE, transforms.InterpolationMode.BICUBIC)
    expected = transforms.CenterCrop(SIZE)(resize(Image.fromarray(image)))
    plain = Pixels(SIZE, mean=(0, 0, 0), std=(1, 1, 1))(image[None])
    torch.testing.assert_close(plain[0], transforms.ToTensor()(expected))
    square = Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    stretched = Pixels(SIZE, "stretch", (0, 0, 0), (1, 1, 1))(image[None])
    torch.testing.assert_close(stretched[0], transforms.ToTensor()(square))


@pytest.mark.parametrize(("height", "width"), [shape for shape in SHAPES if max(shape) != SIZE])
def test_padding_is_that_of_hps(height: int, width: int) -> None:
    """ResizeMaxSize of its open_clip, written from its description in steps of torchvision."""
    transforms = pytest.importorskip("torchvision.transforms.v2.functional")
    image = picture(height, width)
    scale = SIZE / max(height, width)
    sides = [round(height * scale), round(width * scale)]
    tensor = torch.from_numpy(image).permute(2, 0, 1) / 255
    tensor = transforms.resize(tensor, sides, transforms.InterpolationMode.BICUBIC)
    rows, columns = (SIZE - side for side in sides)
    around = [columns // 2, rows // 2, columns - columns // 2, rows - rows // 2]
    expected = transforms.pad(tensor, around, fill=0)
    found = PaddedPixels(SIZE, mean=(0, 0, 0), std=(1, 1, 1))(image[None])[0]
    torch.testing.assert_close(found, expected)


def test_the_two_ways_to_round_differ_by_a_pixel() -> None:
    image = picture(32, 35)  # three columns too many: one and a half on each side
    plain = {"mean": (0, 0, 0), "std": (1, 1, 1)}
    for fit, left in (("crop", 2), ("crop_floor", 1)):
        found = Pixels(SIZE, fit, **plain)(image[None])[0]
        expected = torch.from_numpy(image[:, left : left + SIZE]).permute(2, 0, 1) / 255
        torch.testing.assert_close(found, expected)
