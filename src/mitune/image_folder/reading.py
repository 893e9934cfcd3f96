"""Which pictures a folder holds, and the prompts they were made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mitune.image_folder.names import MANIFEST, SAMPLES, ImageFolderError
from mitune.image_folder.pictures import SUFFIXES, is_regular, size_of
from mitune.prompts import prompt_id
from mitune.texts import Row, read_table

_NAMED = re.compile(r"(?P<prompt>.*\S.*)_(?P<number>\d+)", re.DOTALL)
_DIGITS = 10  # of an image_index
_REQUIRED = ("file", "prompt")
_COLUMNS = ("file", "prompt_id", "category", "prompt", "image_index", "height", "width")


def read_folder(folder: Path) -> pd.DataFrame:
    """One row per picture, in the order of the manifest or of the digits.

    Columns: file (relative to `folder`), prompt_id, category ("" if unknown), prompt, image_index
    (within its prompt), height, width. Only headers of pictures are read.

    Raises
    ------
    ImageFolderError
        No pictures, a picture without a prompt or that cannot be opened, a manifest without a
        column, or that names an absent file or says two things of one.
    TextError
        A manifest that is no CSV file in UTF-8.
    """
    manifest = folder / MANIFEST
    table = _from_manifest(manifest) if manifest.is_file() else _from_names(folder)
    sizes = [size_of(folder / file) for file in table["file"]]
    table["width"], table["height"] = zip(*sizes, strict=True)
    return table[list(_COLUMNS)]


def _from_names(folder: Path) -> pd.DataFrame:
    within = folder / SAMPLES if (folder / SAMPLES).is_dir() else folder
    files = [f for f in sorted(within.glob("*")) if f.suffix.lower() in SUFFIXES]
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
    columns, rows = read_table(manifest)
    for name in _REQUIRED:
        if name not in columns:
            raise ImageFolderError(
                f"{manifest}: no column {name!r} but {', '.join(columns)}; add it"
            )
    if not rows:
        raise ImageFolderError(f"{manifest}: names no pictures; add a line for each")
    for row in rows:
        if not row.cells["prompt"].strip():
            raise ImageFolderError(f"{manifest}:{row.line}: prompt unknown; write it")
        _check_file(manifest, row)
    table = pd.DataFrame([row.cells for row in rows], columns=columns)
    if "category" not in table:
        table["category"] = ""
    identified = _identified(table)
    _check_distinct(manifest, identified, [row.line for row in rows])
    return identified


def _check_file(manifest: Path, row: Row) -> None:
    name = row.cells["file"]
    where = f"{manifest}:{row.line}: {name!r}"
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ImageFolderError(f"{where} is outside the folder; put the picture into it")
    if not is_regular(manifest.parent / name):
        raise ImageFolderError(f"{where} is not in the folder; add it, or drop the line")


def _identified(table: pd.DataFrame) -> pd.DataFrame:
    """With names of prompts and places within them, where there are none yet."""
    if "prompt_id" not in table:
        table["prompt_id"] = [prompt_id(prompt) for prompt in table["prompt"]]
    if "image_index" not in table:
        table["image_index"] = table.groupby("prompt_id", sort=False).cumcount()
    return table


def _check_distinct(manifest: Path, table: pd.DataFrame, lines: Sequence[int]) -> None:
    for line, value in zip(lines, table["image_index"].astype(str), strict=True):
        if not (value.isascii() and value.isdigit() and len(value) < _DIGITS):
            raise ImageFolderError(
                f"{manifest}:{line}: image_index: {value!r} is no whole number; write one"
            )
    table["image_index"] = table["image_index"].astype(int)
    twice = table.duplicated(["file", "prompt"])
    if twice.any():
        place = int(twice.to_numpy().argmax())
        raise ImageFolderError(
            f"{manifest}:{lines[place]}: {table['file'][place]!r} is named twice; drop a line"
        )
    texts = table.groupby("prompt_id")["prompt"].nunique()
    if (texts > 1).any():
        raise ImageFolderError(
            f"{manifest}: prompt_id {texts.idxmax()!r} has several prompts; give each its own"
        )
