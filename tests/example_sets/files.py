"""Small sets of pictures on disk, as people have them."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image


def png(seed: int, width: int = 64, height: int = 64) -> bytes:
    """A picture of its own: a plain one with a square in it."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), rng.integers(0, 255, 3), np.uint8)
    pixels[8:24, 8:24] = rng.integers(0, 255, 3)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def manifest(folder: Path, rows: Sequence[dict], pictures: dict[str, bytes]) -> Path:
    """`manifest.csv` in a folder with these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in pictures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    pd.DataFrame(rows).to_csv(folder / "manifest.csv", index=False)
    return folder


def pick_a_pic(folder: Path, rows: Sequence[tuple], name: str = "train-00000.parquet") -> Path:
    """Rows of (caption, jpg_0, jpg_1, label_0, label_1), with columns that nobody reads."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = ["caption", "jpg_0", "jpg_1", "label_0", "label_1"]
    table = pd.DataFrame(rows, columns=columns).assign(user_id=7, has_label=True)
    table.to_parquet(folder / name)
    return folder
