"""Answers in and out of the file: as one table with everything, or in the notebooks' dialect."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mitune.errors import UserError
from mitune.survey import official
from mitune.survey.row import COLUMNS, GROUP, KINDS, Row
from mitune.survey.storage import Answers, as_table

TABLE = "answers.csv"
_INTEGERS = ("question", "position", "milliseconds")


def export(answers: Answers, folder: Path, notebooks: bool = False) -> list[Path]:
    """Write all answers to `folder`, which must be new: `answers.csv`, or a file per survey.

    `notebooks`: in the dialect of the released surveys, a folder per kind and group, finished
    surveys only.

    Raises
    ------
    UserError
        If the folder holds anything, there are no answers, or the dialect cannot hold them.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: is not an empty folder; name a new one")
    table = answers.table()
    answered = table[table["selected"].notna()]
    if answered.empty:
        raise UserError(f"{answers.path}: no answers yet")
    if not notebooks:
        folder.mkdir(parents=True, exist_ok=True)
        answered.to_csv(folder / TABLE, index=False)
        return [folder / TABLE]
    texts: dict[Path, str] = {}
    for survey, rows in table.groupby("survey"):
        if rows["selected"].isna().any():
            continue
        first = rows.iloc[0]
        path = folder / first["study"] / first["group"] / official.file_name(str(survey))
        texts[path] = official.write(rows_of(rows))
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    return list(texts)


def take_in(answers: Answers, source: Path, campaign: str, group: str) -> int:
    """Add the answers of an exported table or of a folder of notebooks' files; how many surveys.

    A table keeps the campaign and the groups it names.

    Raises
    ------
    UserError
        If a file is not what it should be, or answers are there already: nothing is added then.
    """
    if source.is_file():
        rows = _read_table(source)
    elif not GROUP.fullmatch(group):
        raise UserError(f"group {group!r}: use letters, digits, '_' and '-': it names a folder")
    else:
        rows = [row for survey in official.read_folder(source, campaign, group) for row in survey]
    answers.add(rows)
    return len({row.survey for row in rows})


def rows_of(table: pd.DataFrame) -> list[Row]:
    """The inverse of `as_table`."""
    columns = table[list(COLUMNS)].astype(object)
    kept = columns.where(columns.notna(), None)
    return [Row(*values) for values in kept.itertuples(index=False, name=None)]


def _read_table(file: Path) -> list[Row]:
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        if list(table) != list(COLUMNS):
            raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
        if not table["study"].isin(KINDS).all():
            raise ValueError(f"a study is none of {', '.join(KINDS)}")
        if not table["group"].map(lambda name: bool(GROUP.fullmatch(name))).all():
            raise ValueError("a group has more in its name than letters, digits, '_' and '-'")
        for name in (*_INTEGERS, "picture"):
            table[name] = table[name].where(table[name] != "", None)
        for name in _INTEGERS:
            table[name] = pd.to_numeric(table[name]).astype("Int64")
        table["selected"] = table["selected"].map({"True": True, "False": False})
        if table["selected"].isna().any() or table["question"].isna().any():
            raise ValueError("an answer has no question, or is neither True nor False")
        if (table[list(_INTEGERS)] < 0).any(axis=None):
            raise ValueError("a number is below zero")
    except (TypeError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file}: no exported table of answers ({reason})") from None
    return rows_of(as_table(rows_of(table)))
