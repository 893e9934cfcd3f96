"""A folder of pictures with their prompts: T2I-CompBench's file layout, or a manifest.

Layout (Huang et al. 2023): `samples/{prompt}_{six digits}.png`, digits counting from 0 without a
gap over the whole folder; `samples/` may be left out. The official scripts take what is before
the *first* underscore for the prompt. Here it is what is before the last one and digits, so that
a prompt with an underscore is read whole; what is written is what both read alike.

A `manifest.csv` in the folder decides instead of file names: columns `file` (relative to the
folder) and `prompt`, and if need be `category`, `prompt_id`, `image_index`; others are ignored.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from mitune.errors import UserError
from mitune.metrics.base import batches
from mitune.prompts import prompt_id

MANIFEST = "manifest.csv"
_SAMPLES = "samples"
_PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
_NAMED = re.compile(r"(?P<prompt>.*\S.*)_(?P<number>\d+)", re.DOTALL)
_REQUIRED = ("file", "prompt")
_LONGEST_NAME = 255  # bytes, of most file systems
_WRITTEN = ("prompt_id", "category", "prompt", "image_index", "seed")
_COLUMNS = ("file", "prompt_id", "category", "prompt", "image_index", "height", "width")


class ImageFolderError(UserError):
    """A folder cannot be read or written; the message names the file and the fix."""


def read_folder(folder: Path) -> pd.DataFrame:
    """One row per picture, in the order of the manifest or of the digits.

    Columns: file (relative to `folder`), prompt_id, category ("" if unknown), prompt, image_index
    (within its prompt), height, width. Only headers of pictures are read.

    Raises
    ------
    ImageFolderError
        No pictures, a picture without a prompt or that cannot be opened, a manifest without a
        column, or that names an absent file or says two things of one.
    """
    manifest = folder / MANIFEST
    table = _from_manifest(manifest) if manifest.is_file() else _from_names(folder)
    sizes = [_size(folder / file) for file in table["file"]]
    table["width"], table["height"] = zip(*sizes, strict=True)
    return table[list(_COLUMNS)]


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


def check_prompts(prompts: Iterable[str]) -> None:
    """Refuse what T2I-CompBench's scripts could not read back from a file's name.

    A safe name with the prompt in the manifest would do for us, but they would score the picture
    against the name and say nothing.

    Raises
    ------
    ImageFolderError
        Naming the prompt.
    """
    for prompt in prompts:
        for sign in "/_":
            if sign in prompt:
                raise ImageFolderError(
                    f"{prompt!r}: has a {sign!r}, and T2I-CompBench keeps prompts in file names, "
                    "where it cannot stand; leave this prompt out"
                )
        if len(_name(prompt, 0).encode()) > _LONGEST_NAME:
            raise ImageFolderError(f"{prompt!r}: too long for a file name; leave this prompt out")


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
    (folder / _SAMPLES).mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    kept = []
    for rows, pictures in parts:
        check_prompts(rows["prompt"])
        for prompt, picture in zip(rows["prompt"], pictures, strict=True):
            names.append(f"{_SAMPLES}/{_name(prompt, len(names))}")
            Image.fromarray(picture).save(folder / names[-1])
        kept.append(rows[[c for c in _WRITTEN if c in rows]].copy())
        kept[-1].attrs = {}
        yield len(rows)
    table = pd.concat(kept, ignore_index=True)
    table.insert(0, "file", names)
    table.to_csv(folder / MANIFEST, index=False)


def _name(prompt: str, number: int) -> str:
    return f"{prompt}_{number:06}.png"


def _from_names(folder: Path) -> pd.DataFrame:
    within = folder / _SAMPLES if (folder / _SAMPLES).is_dir() else folder
    files = [f for f in sorted(within.glob("*")) if f.suffix.lower() in _PICTURES]
    if not files:
        raise ImageFolderError(
            f"{within}: no pictures; name them `{{prompt}}_000000.png` and so on, or put a "
            f"{MANIFEST} with columns {', '.join(_REQUIRED)} into {folder}"
        )
    rows = []
    for file in files:
        match = _NAMED.fullmatch(file.stem)
        if not match:
            raise ImageFolderError(
                f"{file}: prompt unknown; name it `{{prompt}}_000000{file.suffix}`, or put a "
                f"{MANIFEST} with columns {', '.join(_REQUIRED)} into {folder}"
            )
        name = str(file.relative_to(folder))
        rows.append((int(match["number"]), name, match["prompt"]))
    _, names, prompts = zip(*sorted(rows), strict=True)
    table = pd.DataFrame({"file": names, "prompt": prompts, "category": ""})
    return _identified(table)


def _from_manifest(manifest: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(
            manifest, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False
        ).fillna("")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, csv.Error) as e:
        raise ImageFolderError(
            f"{manifest}: not a CSV file in UTF-8 ({str(e).splitlines()[0]}); write it again"
        ) from None
    for name in _REQUIRED:
        if name not in table:
            raise ImageFolderError(
                f"{manifest}: no column {name!r} but {', '.join(map(str, table))}; add it"
            )
    if table.empty:
        raise ImageFolderError(f"{manifest}: names no pictures; add a line for each")
    for line, row in enumerate(table.itertuples(index=False), start=2):
        if not str(row.prompt).strip():
            raise ImageFolderError(f"{manifest}:{line}: prompt unknown; write it")
        if not (manifest.parent / str(row.file)).is_file():
            raise ImageFolderError(
                f"{manifest}:{line}: {row.file!r} is not in the folder; add it, or drop the line"
            )
    if "category" not in table:
        table["category"] = ""
    identified = _identified(table)
    _check_distinct(manifest, identified)
    return identified


def _identified(table: pd.DataFrame) -> pd.DataFrame:
    """With names of prompts and places within them, where there are none yet."""
    if "prompt_id" not in table:
        table["prompt_id"] = [prompt_id(prompt) for prompt in table["prompt"]]
    if "image_index" not in table:
        table["image_index"] = table.groupby("prompt_id", sort=False).cumcount()
    return table


def _check_distinct(manifest: Path, table: pd.DataFrame) -> None:
    try:
        table["image_index"] = table["image_index"].astype(int)
    except ValueError as error:
        raise ImageFolderError(f"{manifest}: image_index: {error}; write whole numbers") from None
    twice = table.duplicated(["file", "prompt"])
    if twice.any():
        line = int(twice.to_numpy().argmax()) + 2
        raise ImageFolderError(
            f"{manifest}:{line}: {table['file'][line - 2]!r} is named twice; drop a line"
        )
    texts = table.groupby("prompt_id")["prompt"].nunique()
    if (texts > 1).any():
        raise ImageFolderError(
            f"{manifest}: prompt_id {texts.idxmax()!r} has several prompts; give each its own"
        )


def _size(file: Path) -> tuple[int, int]:
    """(width, height)."""
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
