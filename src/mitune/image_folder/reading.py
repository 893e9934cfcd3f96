"""Which pictures a folder holds, and the prompts they were made of."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pandas as pd

from mitune.image_folder.names import MANIFEST, SAMPLES, ImageFolderError
from mitune.image_folder.pictures import size_of
from mitune.prompts import prompt_id

_PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
_NAMED = re.compile(r"(?P<prompt>.*\S.*)_(?P<number>\d+)", re.DOTALL)
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
    """
    manifest = folder / MANIFEST
    table = _from_manifest(manifest) if manifest.is_file() else _from_names(folder)
    sizes = [size_of(folder / file) for file in table["file"]]
    table["width"], table["height"] = zip(*sizes, strict=True)
    return table[list(_COLUMNS)]


def _from_names(folder: Path) -> pd.DataFrame:
    within = folder / SAMPLES if (folder / SAMPLES).is_dir() else folder
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
