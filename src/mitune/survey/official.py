"""The CSV files of the released survey notebooks: one file per survey, read and written.

Of `metrics`: `prompt,mi,blip,hps`, the prompt between quotes that are not escaped, and the last
line has no end. Of `methods`: `category,prompt,` and the methods, as pandas writes it, the prompt
as Python's `repr`, which pandas quotes once more where it holds a comma or a double quote. Truth
values are `True` and `False`. The file's name is the time, and that is all that names a survey: no
order of pictures, no time taken, no group but the folder.
"""

from __future__ import annotations

import ast
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mitune.errors import UserError
from mitune.prompts import prompt_id
from mitune.survey.row import Kind, Row

_LONGEST_CELL = 131_072  # csv's own limit, which any library may have raised
_NAME = re.compile(r"answer_(?P<survey>\d{8}_\d{6}_\d{6})\.csv")
_OURS = re.compile(r"(?P<time>\d{8}_\d{6}_\d{6})(_\w+)?")
_STARTS: Mapping[Kind, list[str]] = {"metrics": ["prompt"], "methods": ["category", "prompt"]}
_TRUTH = {"True": True, "False": False}
_METRICS = ("mi", "blip", "hps")
_COLOUR = "color"
"""The released metrics survey asked for prompts of this category alone and does not write it."""


@dataclass(frozen=True)
class _Answer:
    """A line of a file: what was selected of a prompt."""

    category: str
    prompt: str
    selected: tuple[bool, ...]


def read_folder(folder: Path, campaign: str, group: str) -> Iterator[list[Row]]:
    """Rows of every `answer_*.csv` in a folder, a list for each survey, in order of time.

    Raises
    ------
    UserError
        If there is none, or one is not of this dialect, naming file and line.
    """
    files = sorted(folder.glob("answer_*.csv"))
    if not files:
        raise UserError(f"{folder}: no files answer_*.csv; name the folder of one group")
    for file in files:
        named = _NAME.fullmatch(file.name)
        if not named:
            raise UserError(f"{file}: name it answer_YYYYmmdd_HHMMSS_ffffff.csv, its only id")
        try:
            text = file.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"{file}: not in UTF-8 ({error.reason}); convert it") from None
        yield list(_rows(text, str(file), named["survey"], campaign, group))


def file_name(survey: str) -> str:
    """What the notebooks would have called a survey's file. Raises UserError if it has no time."""
    match = _OURS.fullmatch(survey)
    if not match:
        raise UserError(
            f"survey {survey}: its name does not begin with the time; export as a table"
        )
    return f"answer_{match['time']}.csv"


def write(rows: Sequence[Row]) -> str:
    """The file of one answered survey.

    Raises
    ------
    UserError
        If the dialect cannot tell a prompt or an option from what stands around it.
    """
    questions: dict[int, dict[str, Row]] = {}
    for row in rows:
        questions.setdefault(row.question, {})[row.option] = row
    options = sorted(next(iter(questions.values())), key=_column)
    first = rows[0]
    answers = [
        _Answer(row.category, row.prompt, tuple(bool(by_option[o].selected) for o in options))
        for by_option in questions.values()
        for row in (next(iter(by_option.values())),)
    ]
    text = (_as_metrics if first.study == "metrics" else _as_methods)(answers, options)
    again = _rows(text, "", first.survey, first.campaign, first.group)
    wanted = [(r.prompt, r.option, r.selected) for q in questions.values() for r in q.values()]
    if sorted((r.prompt, r.option, r.selected) for r in again) != sorted(wanted):
        raise UserError(
            f"survey {first.survey}: the dialect of the released notebooks cannot hold a prompt or "
            "an option of it; export it as a table"
        )
    return text


def _column(option: str) -> tuple[int, str]:
    """The notebooks' own order: of methods by name."""
    return _METRICS.index(option) if option in _METRICS else len(_METRICS), option


def _as_metrics(answers: Sequence[_Answer], options: Sequence[str]) -> str:
    lines = [",".join([f'"{a.prompt}"', *map(str, a.selected)]) for a in answers]
    return "\n".join([",".join([*_STARTS["metrics"], *options]), *lines])


def _as_methods(answers: Sequence[_Answer], options: Sequence[str]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*_STARTS["methods"], *options])
    writer.writerows([a.category, repr(a.prompt), *a.selected] for a in answers)
    return stream.getvalue()


def _rows(text: str, file: str, survey: str, campaign: str, group: str) -> Iterator[Row]:
    names = text.partition("\n")[0].strip().split(",")
    kind = _kind(names, file)
    answers = (_of_metrics if kind == "metrics" else _of_methods)(text, file, names)
    options = names[len(_STARTS[kind]) :]
    for question, answer in enumerate(answers, start=1):
        for option, selected in zip(options, answer.selected, strict=True):
            yield Row(
                survey=survey,
                study=kind,
                campaign=campaign,
                group=group,
                question=question,
                category=answer.category,
                prompt_id=prompt_id(answer.prompt),
                prompt=answer.prompt,
                option=option,
                position=None,
                selected=selected,
                picture=None,
                milliseconds=None,
            )


def _kind(names: list[str], file: str) -> Kind:
    for kind, start in _STARTS.items():
        options = names[len(start) :]
        distinct = len(set(options)) == len(options) and all(options)
        if names[: len(start)] == start and options and distinct:
            return kind
    raise UserError(f"{file}:1: not a header of the released surveys: {','.join(names)[:80]!r}")


def _of_metrics(text: str, file: str, names: Sequence[str]) -> Iterator[_Answer]:
    values = ",".join([r"(True|False)"] * (len(names) - 1))
    line = re.compile(rf'"(?P<prompt>.*?)",{values}(?:\r?\n|\Z)', re.DOTALL)
    place = text.find("\n") + 1 or len(text)
    while text[place:].strip():
        match = line.match(text, place)
        if not match:
            raise _unlike(file, 1 + text.count("\n", 0, place), names)
        place = match.end()
        yield _Answer(_COLOUR, match["prompt"], tuple(_TRUTH[v] for v in match.groups()[1:]))


def _of_methods(text: str, file: str, names: Sequence[str]) -> Iterator[_Answer]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        next(reader)
        for cells in filter(None, reader):
            selected = tuple(_TRUTH[cell] for cell in cells[2:] if cell in _TRUTH)
            too_long = any(len(cell) > _LONGEST_CELL for cell in cells)
            if (
                too_long
                or len(cells) != len(names)
                or len(selected) != len(names) - 2
                or not cells[0]
            ):
                raise _unlike(file, reader.line_num, names)
            yield _Answer(cells[0], _literal(cells[1], file, reader.line_num), selected)
    except csv.Error:
        raise _unlike(file, reader.line_num, names) from None


def _unlike(file: str, line: int, names: Sequence[str]) -> UserError:
    return UserError(f"{file}:{line}: not `{','.join(names)}`; correct the line")


def _literal(text: str, file: str, line: int) -> str:
    """What a Python string literal says; nothing is evaluated."""
    try:
        value = ast.literal_eval(text)
        value.encode()
    except (AttributeError, MemoryError, RecursionError, SyntaxError, ValueError):
        raise UserError(
            f"{file}:{line}: {text[:80]!r} is no Python string of Unicode text; correct the line"
        ) from None
    return str(value)
