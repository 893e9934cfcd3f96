"""Pictures of files as models read them, and as latents."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image

from mitune.example_sets import Example, ExampleError, Picture
from mitune.example_sets.encoding import encoded
from mitune.example_sets.index import index
from mitune.example_sets.pictures import squared
from tests.example_sets.files import png


def _stored(pixels: np.ndarray, orientation: int | None = None) -> Picture:
    stream, image = io.BytesIO(), Image.fromarray(pixels)
    exif = image.getexif()
    if orientation:
        exif[0x0112] = orientation
    image.save(stream, "PNG", exif=exif)
    return Picture(stream.getvalue(), "x")


def _sides(width: int, height: int) -> np.ndarray:
    """Red on the left, blue on the right, the upper quarter green."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = 255
    pixels[:, width // 2 :, 2] = 255
    pixels[: height // 4] = (0, 255, 0)
    return pixels


def test_the_middle_is_cut_out_and_left_stays_left() -> None:
    seen = squared(_stored(_sides(200, 100)), 64)
    assert seen.shape == (64, 64, 3)
    assert seen[40, 5].tolist() == [255, 0, 0] and seen[40, -5].tolist() == [0, 0, 255]
    assert seen[5, 30].tolist() == [0, 255, 0]
    tall = squared(_stored(_sides(100, 200)), 64)
    assert tall[30, 5].tolist() == [255, 0, 0]
    assert (tall[2:, :, 1] == 0).all()  # the upper quarter is what is cut off


def test_a_picture_lies_as_its_camera_says() -> None:
    """Orientation 6: the stored picture is turned by 90 degrees to the right."""
    upright = _sides(64, 64)
    turned = squared(_stored(np.rot90(upright, 1), orientation=6), 64)
    np.testing.assert_array_equal(turned, upright)


def test_a_picture_of_the_right_size_is_itself() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    np.testing.assert_array_equal(squared(_stored(pixels), 64), pixels)


def test_each_picture_is_encoded_once_as_the_model_encodes_it(shared_backbone) -> None:
    a, b, c = (Picture(png(seed, 80, 64), str(seed)) for seed in (1, 2, 3))
    examples = [
        Example("a star", {"winner": a, "loser": b}, "1"),
        Example("a cross", {"winner": c, "loser": a}, "2"),
    ]
    table = index(examples, "drop")
    (part,) = set(table["shard"])
    shape = shared_backbone.latent_shape
    facts = {part: {"key": "k", "made_by": {"model": "m"}}}
    ((name, found),) = encoded(shared_backbone, examples, table, facts, batch_size=2)
    assert name == part and len(found) == 3
    assert found.attrs["key"] == "k" and found.attrs["latent_shape"] == list(shape)
    pixels = np.stack([squared(picture, 64) for picture in (a, b, c)])
    wanted = shared_backbone.encode(pixels).half()
    latents = [np.frombuffer(row, np.float16).reshape(shape) for row in found["latent"]]
    torch.testing.assert_close(torch.tensor(np.stack(latents)), wanted, atol=2e-3, rtol=0)
    assert list(encoded(shared_backbone, examples, table, {}, batch_size=2)) == []
    with pytest.raises(ExampleError, match=r"^3: is not what it was when the set was read"):
        list(encoded(shared_backbone, examples[:1], table, facts, batch_size=2))


def test_files_are_read_no_further_than_the_last_picture(shared_backbone) -> None:
    picture = Picture(png(1, 64, 64), "1")
    example = Example("a star", {"image": picture}, "1")

    def endless() -> Iterator[Example]:
        while True:
            yield example

    table = index(endless(), "keep", most=1)
    facts = {part: {"key": "k", "made_by": {}} for part in table["shard"]}
    ((_, found),) = encoded(shared_backbone, endless(), table, facts, batch_size=2)
    assert len(found) == 1
