"""A folder of pictures, such as COCO's validation set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict

from mitune.metrics.base import MetricError, batches
from mitune.metrics.features import Pictures

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
_AT_A_TIME = 64


class PictureFolder(BaseModel):
    """Every PNG, JPEG and WebP below `path`, whatever the prompts are.

    Compression and resizing of the references change distances: take the originals.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["folder"] = "folder"
    path: Path

    def pictures(self, prompts: pd.DataFrame) -> Iterator[Pictures]:
        """Parts of pictures of the same size; each picture is a unit.

        Raises
        ------
        MetricError
            Naming the file that cannot be read, or the folder if it has no pictures.
        """
        by_size: dict[tuple[int, int], list[Path]] = defaultdict(list)
        for file in sorted(self.path.rglob("*")):
            if file.suffix.lower() in _SUFFIXES:
                by_size[_size(file)].append(file)
        if not by_size:
            raise MetricError(f"{self.path}: no pictures; correct quality.reference.path")
        for files in by_size.values():
            for part in batches(len(files), _AT_A_TIME):
                names = [str(file.relative_to(self.path)) for file in files[part]]
                yield np.stack([_pixels(file) for file in files[part]]), np.array(names)

    def control(self, prompts: pd.DataFrame, per_prompt: int) -> Iterator[Pictures]:
        """None to spare: published distances are to the whole set."""
        return iter(())


def _size(file: Path) -> tuple[int, int]:
    try:
        with Image.open(file) as image:
            return image.size
    except OSError as error:
        raise _unreadable(file, error) from None


def _pixels(file: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(file) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: OSError) -> MetricError:
    return MetricError(f"{file}: cannot be read ({type(error).__name__}); remove or replace it")
