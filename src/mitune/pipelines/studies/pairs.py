"""Where real pictures with captions come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from mitune.errors import UserError
from mitune.image_folder import read_folder, read_pictures
from mitune.miniature.captioned import draw_captioned


class ManifestPictures(BaseModel):
    """A folder with `manifest.csv` (file, prompt), or in T2I-CompBench's layout.

    CC12M and its kind come so: a shard's pictures in the folder, a line of the manifest for each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["manifest"] = "manifest"
    path: Path

    def pairs(self, count: int, size: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        """The first `count` captions with pictures (size, size, 3), their central squares.

        Raises
        ------
        UserError
            If there are fewer, or as `image_folder`.
        """
        table = read_folder(self.path)
        if len(table) < count:
            raise UserError(
                f"real.path: {self.path} has {len(table)} pictures, and arms mix in up to {count}; "
                "add pictures, or lower arms.*.real"
            )
        for place in range(count):
            rows = table.iloc[[place]]
            yield str(rows["prompt"].iloc[0]), _square(read_pictures(self.path, rows)[0], size)


class RenderedPictures(BaseModel):
    """Scenes of the miniature's world, of all categories, with captions as careless as the web's.

    `careless: false` captions every scene as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["rendered"] = "rendered"
    careless: bool = True
    seed: NonNegativeInt = 0

    def pairs(self, count: int, size: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        """`count` captions with pictures (size, size, 3)."""
        for caption, picture in draw_captioned(count, self.seed, self.careless):
            yield caption, _square(picture, size)


PairSource: TypeAlias = Annotated[ManifestPictures | RenderedPictures, Field(discriminator="kind")]


def _square(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The central square, resized, bicubic; as it is if it has the size."""
    picture = Image.fromarray(pixels)
    side = min(picture.size)
    left, top = ((length - side) // 2 for length in picture.size)
    cut = picture.crop((left, top, left + side, top + side))
    return np.asarray(cut.resize((size, size), Image.Resampling.BICUBIC))
