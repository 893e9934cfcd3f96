"""A folder of pictures that T2I-CompBench's scripts read, written in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from mitune.image_folder.names import MANIFEST, SAMPLES, ImageFolderError, check_prompts, file_name

_WRITTEN = ("prompt_id", "category", "prompt", "image_index", "seed")


def write_folder(
    folder: Path, parts: Iterable[tuple[pd.DataFrame, NDArray[np.uint8]]]
) -> Iterator[int]:
    """Write pictures as PNG (lossless), then the manifest; yield how many each part had.

    `parts` are rows with prompt_id, category, prompt, image_index and their pictures (N, H, W, 3)
    uint8; a column `seed` goes into the manifest too.

    Raises
    ------
    ImageFolderError
        If the folder holds anything: numbers would have gaps. Or as `check_prompts`.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ImageFolderError(f"{folder}: is not an empty folder; name a new one")
    (folder / SAMPLES).mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    kept = []
    for rows, pictures in parts:
        check_prompts(rows["prompt"])
        for prompt, picture in zip(rows["prompt"], pictures, strict=True):
            names.append(f"{SAMPLES}/{file_name(prompt, len(names))}")
            Image.fromarray(picture).save(folder / names[-1])
        kept.append(rows[[c for c in _WRITTEN if c in rows]].copy())
        kept[-1].attrs = {}
        yield len(rows)
    table = pd.concat(kept, ignore_index=True)
    table.insert(0, "file", names)
    table.to_csv(folder / MANIFEST, index=False)
