"""Text that people wrote, read as it was written: one strict reader for prompts and tables.

What pandas and Python do by default (missing values, line ends, index columns, types) is for other
data: a prompt may be `NA`, and a comma that nobody put in quotes must not shift a column.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mitune.errors import UserError

_LINE_END = re.compile(r"\r?\n")
_LONGEST_CELL = 2**20


class TextError(UserError):
    """A file is not the text it should be; the message names the file, the line and the fix."""


@dataclass(frozen=True)
class Row:
    """A line of a table, by column, and its number in the file."""

    line: int
    cells: dict[str, str]


def read_text(file: Path) -> str:
    """A UTF-8 file, with or without byte order mark.

    Raises
    ------
    TextError
        If it is missing, no regular file (a pipe would never end), empty or not UTF-8, or holds
        characters that no text has.
    """
    content = _content(file)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = content[: error.start].count(b"\n") + 1
        raise TextError(f"{file}:{place}: not UTF-8; save the file as UTF-8") from None
    if not text.strip():
        raise TextError(f"{file}: is empty; write it, or restore it")
    for number, line in enumerate(_LINE_END.split(text), start=1):
        check_characters(line, f"{file}:{number}")
    return text


def check_characters(text: str, where: str) -> None:
    """Refuse control characters but for the tab, and halves of characters.

    Raises
    ------
    TextError
        Beginning with `where`.
    """
    if text.isprintable():
        return
    for character in text:
        if character == "\r":
            raise TextError(f"{where}: a carriage return within a line; end lines with \\n alone")
        if unicodedata.category(character) in ("Cc", "Cs") and character != "\t":
            code = f"U+{ord(character):04X}"
            raise TextError(f"{where}: character {code}, which no text has; remove it")


def read_lines(file: Path) -> Iterator[tuple[int, str]]:
    """Lines and their numbers, blank ones too; a carriage return may stand before their end.

    Raises TextError.
    """
    lines = _LINE_END.split(read_text(file))
    if not lines[-1]:
        lines.pop()  # what follows the last line's end
    yield from enumerate(lines, start=1)


def read_table(
    file: Path, separator: str = ",", quotes: bool = True
) -> tuple[list[str], list[Row]]:
    """(columns, rows) of a table with a header; blank lines are passed over.

    `quotes`: whether a cell may stand between them; else they are text.

    Raises
    ------
    TextError
        As `read_text`; for a line with more or fewer cells than the header, a quote that is not
        closed, and a column that is there twice or has no name.
    """
    (_, header), *rows = _cells(file, separator, quotes)
    for name in header:
        if header.count(name) > 1 or not name.strip():
            raise TextError(f"{file}:1: column {name!r} has no name of its own; give it one")
    hint = "; put quotes around a text with a comma" if quotes else "; restore the line"
    for number, cells in rows:
        if len(cells) != len(header):
            raise TextError(
                f"{file}:{number}: has {len(cells)} cells, the header {len(header)}{hint}"
            )
    return header, [Row(number, dict(zip(header, cells, strict=True))) for number, cells in rows]


def read_json(file: Path) -> object:
    """A JSON file. Raises TextError as `read_text`, and for what is not JSON."""
    text = read_text(file)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise TextError(f"{file}:{error.lineno}: not JSON ({error.msg}); restore it") from None
    except (ValueError, RecursionError) as error:
        raise TextError(f"{file}: not JSON ({type(error).__name__}); restore it") from None


def alike(text: str) -> str:
    """What texts that no CLIP tokenizer tells apart have in common: NFC, one space, small letters.

    Only what its normaliser does; a model's own tokenizers say the rest.
    """
    return " ".join(unicodedata.normalize("NFC", text).lower().split())


def _content(file: Path) -> bytes:
    try:
        if not file.is_file():
            kind = "no file but a folder or a pipe" if file.exists() else "not found"
            raise TextError(
                f"{file}: {kind}; create it, or correct prompts.categories or globals.yml"
            )
        return file.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, TextError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise TextError(f"{file}: cannot be read ({reason}); correct the name") from None


def _cells(file: Path, separator: str, quotes: bool) -> list[tuple[int, list[str]]]:
    if not quotes:
        return [(n, line.split(separator)) for n, line in read_lines(file) if line]
    found = []
    before = csv.field_size_limit(_LONGEST_CELL)  # of the whole process, so not for long
    reader = csv.reader(io.StringIO(read_text(file), newline=""), delimiter=separator, strict=True)
    number = 1
    try:
        for cells in reader:
            if cells:
                found.append((number, cells))
            number = reader.line_num + 1
    except csv.Error as error:
        raise TextError(f"{file}:{number}: not CSV ({error}); close the quotes") from None
    finally:
        csv.field_size_limit(before)
    return found
