"""The CSV files of the released survey notebooks: one file per survey, read and written.

Of `metrics`: `prompt,mi,blip,hps`, the prompt between quotes that are not escaped. Of `methods`:
`category,prompt,` and the methods, the prompt as Python's `repr`. Truth values are `True` and
`False`, and the last line has no end. The file's name is the time, and that is all that names a
survey: no order of pictures, no time taken, no group but the folder.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mitune.errors import UserError
from mitune.prompts import prompt_id
from mitune.survey.row import Kind, Row

_NAME = re.compile(r"answer_(?P<survey>\d{8}_\d{6}_\d{6})\.csv")
_OURS = re.compile(r"(?P<time>\d{8}_\d{6}_\d{6})(_\w+)?")
_TRUTH = {"True": True, "False": False}
_METRICS = ("mi", "blip", "hps")
_COLOUR = "color"
"""The released metrics survey asked for prompts of this category alone and does not write it."""


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
            text = file.read_text(encoding="utf-8")
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
    lines = [_header(first.study, options)]
    for by_option in questions.values():
        row = next(iter(by_option.values()))
        values = [str(by_option[option].selected) for option in options]
        named = f'"{row.prompt}"' if row.study == "metrics" else f"{row.category},{row.prompt!r}"
        lines.append(",".join([named, *values]))
    text = "\n".join(lines)
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


def _header(kind: Kind, options: Sequence[str]) -> str:
    return ",".join([*(["prompt"] if kind == "metrics" else ["category", "prompt"]), *options])


def _rows(text: str, file: str, survey: str, campaign: str, group: str) -> Iterator[Row]:
    header, _, body = text.partition("\n")
    names = header.strip().split(",")
    if names[0] == "prompt" and len(names) > 1:
        kind: Kind = "metrics"
        options, start = names[1:], r'"(?P<prompt>.*?)"'
    elif names[:2] == ["category", "prompt"] and len(names) > 2:
        kind = "methods"
        options, start = names[2:], r"(?P<category>\w+),(?P<prompt>'.*?'|\".*?\")"
    else:
        raise UserError(f"{file}:1: not a header of the released surveys: {header[:80]!r}")
    values = ",".join([r"(True|False)"] * len(options))
    line = re.compile(rf"{start},{values}(?:\r?\n|\Z)", re.DOTALL)
    place, question = 0, 0
    while body[place:].strip():
        match = line.match(body, place)
        if not match:
            number = 2 + body.count("\n", 0, place)
            raise UserError(f"{file}:{number}: not `{_header(kind, options)}`; correct the line")
        place, question = match.end(), question + 1
        fields = match.groupdict()
        prompt = fields["prompt"] if kind == "metrics" else _literal(fields["prompt"], file)
        answers = match.groups()[len(fields) :]
        for option, value in zip(options, answers, strict=True):
            yield Row(
                survey=survey,
                study=kind,
                campaign=campaign,
                group=group,
                question=question,
                category=fields.get("category") or _COLOUR,
                prompt_id=prompt_id(prompt),
                prompt=prompt,
                option=option,
                position=None,
                selected=_TRUTH[value],
                picture=None,
                milliseconds=None,
            )


def _literal(text: str, file: str) -> str:
    """What a Python string literal says; nothing is evaluated."""
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        value = None
    if not isinstance(value, str):
        raise UserError(f"{file}: {text[:80]!r} is no Python string; correct the line")
    return value
