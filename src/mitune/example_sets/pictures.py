"""A picture of a file as a model reads it: upright, square, of the model's size."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from mitune.example_sets.base import ExampleError, Picture


def squared(picture: Picture, size: int) -> NDArray[np.uint8]:
    """(size, size, 3) uint8 RGB: the shorter side made `size`, the middle cut out.

    Turned as its EXIF orientation says, never mirrored: a prompt may say left and right. Bicubic;
    transparency is dropped, as PIL does. The released code of Diffusion-DPO cuts out of a random
    place and mirrors every other picture.

    Raises
    ------
    ExampleError
        Naming where it stands, if it cannot be read.
    """
    upright = opened(picture)
    if upright.size == (size, size):
        return np.asarray(upright)
    fitted = ImageOps.fit(upright, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(fitted)


def opened(picture: Picture) -> Image.Image:
    """The whole picture, upright, RGB. Raises as `squared`."""
    try:
        with Image.open(io.BytesIO(picture.content)) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ExampleError(
            f"{picture.where}: cannot be read as a picture ({type(error).__name__}); restore it, "
            "or drop the row"
        ) from None
