"""Pictures of a folder as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from mitune.image_folder.names import ImageFolderError
from mitune.metrics.base import batches


def alike(table: pd.DataFrame, batch_size: int) -> Iterator[pd.DataFrame]:
    """Rows of pictures of one size, at most `batch_size`; those of the first size come first."""
    for _, rows in table.groupby(["height", "width"], sort=False):
        for part in batches(len(rows), batch_size):
            yield rows.iloc[part]


def read_pictures(folder: Path, rows: pd.DataFrame) -> NDArray[np.uint8]:
    """Pictures (N, H, W, 3) uint8 RGB of `rows`, which are `alike`.

    Transparency is dropped, as PIL does. Raises ImageFolderError for a picture that is cut short.
    """
    return np.stack([_picture(folder / file) for file in rows["file"]])


def size_of(file: Path) -> tuple[int, int]:
    """(width, height); only the header is read. Raises ImageFolderError."""
    try:
        with Image.open(file) as picture:
            return picture.size
    except (OSError, Image.DecompressionBombError) as error:
        raise _unreadable(file, error) from None


def _picture(file: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(file) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: Exception) -> ImageFolderError:
    return ImageFolderError(
        f"{file}: cannot be read as a picture ({type(error).__name__}); restore or remove it"
    )
