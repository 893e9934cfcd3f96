"""Pictures of a folder as arrays, as people see them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import ExifTags, Image

from mitune.image_folder.names import ImageFolderError
from mitune.metrics.base import batches

SUFFIXES = frozenset(
    (".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff")
)
_PLAIN = {"1", "L", "P", "RGB", "YCbCr"}
_TRANSPARENT = {"LA", "La", "PA", "RGBA", "RGBa"}
_SIXTEEN_BITS = {"I;16", "I;16L", "I;16B", "I;16N"}
_TURNS = {  # by EXIF's orientation, those from 5 on swap width and height
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def alike(table: pd.DataFrame, batch_size: int) -> Iterator[pd.DataFrame]:
    """Rows of pictures of one size, at most `batch_size`; those of the first size come first."""
    for _, rows in table.groupby(["height", "width"], sort=False):
        for part in batches(len(rows), batch_size):
            yield rows.iloc[part]


def read_pictures(folder: Path, rows: pd.DataFrame) -> NDArray[np.uint8]:
    """Pictures (N, H, W, 3) uint8 RGB of `rows`, which are `alike`, as viewers show them.

    Turned as EXIF says; what is transparent is on white; 16 bits of grey become 8.

    Raises
    ------
    ImageFolderError
        For a picture that is cut short; of several frames, which are not one picture; or of a mode
        that has no one look (CMYK, LAB, 32 bits).
    """
    return np.stack([_picture(folder / file) for file in rows["file"]])


def is_regular(file: Path) -> bool:
    """Whether there is such a file, and it is no pipe, which would never end."""
    try:
        return file.is_file()
    except (OSError, ValueError):
        return False


def size_of(file: Path) -> tuple[int, int]:
    """(width, height) as it is seen; only the header is read. Raises as `read_pictures`."""
    if not is_regular(file):
        raise ImageFolderError(f"{file}: is no file; remove it")
    try:
        with Image.open(file) as picture:
            _check(file, picture)
            width, height = picture.size
            return (height, width) if _orientation(picture) >= 5 else (width, height)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(file, error) from None


def _picture(file: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(file) as picture:
            _check(file, picture)
            turn = _TURNS.get(_orientation(picture))
            return np.asarray(_as_seen(picture if turn is None else picture.transpose(turn)))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(file, error) from None


def _orientation(picture: Image.Image) -> int:
    """What is left to do of EXIF's orientation, 1 to 8; only the header is read.

    Pillow turns a TIFF itself, and would read all of a PNG to look for what follows its pixels.
    """
    if picture.format == "TIFF" or (picture.format == "PNG" and "exif" not in picture.info):
        return 1
    found = picture.getexif().get(ExifTags.Base.Orientation)
    return found if found in _TURNS else 1


def _check(file: Path, picture: Image.Image) -> None:
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":  # a camera's JPEG, with previews after the picture
        raise ImageFolderError(
            f"{file}: has {frames} frames, of which none is the picture; save one of them"
        )
    if picture.mode not in _PLAIN | _TRANSPARENT | _SIXTEEN_BITS:
        raise ImageFolderError(f"{file}: is {picture.mode}; save it as RGB of 8 bits")


def _as_seen(picture: Image.Image) -> Image.Image:
    """In RGB."""
    if picture.mode in _SIXTEEN_BITS:
        grey: Any = np.asarray(picture).astype(np.uint16)
        return Image.fromarray((grey / 257).round().astype(np.uint8)).convert("RGB")
    if picture.mode in _TRANSPARENT or "transparency" in picture.info:
        seen = picture.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        return Image.alpha_composite(white, seen).convert("RGB")
    return picture.convert("RGB")


def _unreadable(file: Path, error: Exception) -> ImageFolderError:
    if isinstance(error, ImageFolderError):
        return error
    return ImageFolderError(
        f"{file}: cannot be read as a picture ({type(error).__name__}); restore or remove it"
    )
