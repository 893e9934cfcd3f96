"""Answers in one SQLite file, each committed when it is given.

A survey's rows are written when it starts, unanswered: so the order is recorded, a survey goes on
where it stopped, and whatever a browser sends is checked against what was asked.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from operator import attrgetter
from pathlib import Path

import pandas as pd

from mitune.errors import UserError
from mitune.survey.row import COLUMNS, Row

_PATIENCE = 30.0  # seconds that another respondent may hold the file
_NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
_values = attrgetter(*COLUMNS)
_MARKS = ", ".join("?" * len(COLUMNS))
_TABLES = """
CREATE TABLE IF NOT EXISTS answers (
    survey TEXT NOT NULL, study TEXT NOT NULL, campaign TEXT NOT NULL, "group" TEXT NOT NULL,
    question INTEGER NOT NULL, category TEXT NOT NULL, prompt_id TEXT NOT NULL,
    prompt TEXT NOT NULL, option TEXT NOT NULL, position INTEGER,
    selected INTEGER CHECK (selected IN (0, 1)), picture TEXT, milliseconds INTEGER,
    PRIMARY KEY (survey, question, option)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scores (
    prompt_id TEXT NOT NULL, picture TEXT NOT NULL, score TEXT NOT NULL, value REAL NOT NULL,
    PRIMARY KEY (prompt_id, picture, score)
) WITHOUT ROWID;
"""


class Answers:
    """The file at `path`, made if it is not there; safe for threads and for several processes.

    Raises
    ------
    UserError
        If the file is no such database.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(self._connect()) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            raise UserError(f"{path}: no file of answers ({error}); move it away") from None

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows of surveys, all or none; raises UserError if one of them is there already."""
        try:
            with self._writing() as connection:
                connection.executemany(
                    f"INSERT INTO answers ({_NAMES}) VALUES ({_MARKS})", map(_values, rows)
                )
        except sqlite3.IntegrityError:
            raise UserError(
                f"{self.path}: has answers of survey {rows[0].survey} or of one that comes with it "
                "already; nothing was added"
            ) from None

    def keep_scores(self, scores: pd.DataFrame) -> None:
        """Keep what is known of pictures: prompt_id, picture, score, value."""
        known = scores[["prompt_id", "picture", "score", "value"]].itertuples(index=False)
        with self._writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?)", [tuple(row) for row in known]
            )

    def survey(self, survey: str) -> list[Row]:
        """All rows of a survey in the order shown; none if there is no such survey."""
        with closing(self._connect()) as connection:
            rows = connection.execute(
                f"SELECT {_NAMES} FROM answers WHERE survey = ? "
                "ORDER BY question, position, option",
                (survey,),
            ).fetchall()
        return [_row(values) for values in rows]

    def answer(
        self, survey: str, question: int, positions: Collection[int], milliseconds: int | None
    ) -> None:
        """Select exactly the pictures at `positions`, in place of what was selected before."""
        marks = ", ".join("?" * len(positions))
        with self._writing() as connection:
            connection.execute(
                f"UPDATE answers SET selected = position IN ({marks}), milliseconds = ? "
                "WHERE survey = ? AND question = ?",
                (*positions, milliseconds, survey, question),
            )

    def table(self) -> pd.DataFrame:
        """All rows, in order of survey and question; `selected` boolean, missing if unanswered."""
        with closing(self._connect()) as connection:
            rows = connection.execute(
                f"SELECT {_NAMES} FROM answers ORDER BY survey, question, position, option"
            ).fetchall()
        return as_table(map(_row, rows))

    def scores(self) -> pd.DataFrame:
        """What is known of pictures: prompt_id, picture, score, value."""
        with closing(self._connect()) as connection:
            rows = connection.execute("SELECT * FROM scores ORDER BY 1, 2, 3").fetchall()
        return pd.DataFrame(rows, columns=["prompt_id", "picture", "score", "value"])

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: on disk when this is left, or not at all."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        connection.execute("PRAGMA synchronous = FULL")  # a committed answer survives a power cut
        return connection


def as_table(rows: Iterable[Row]) -> pd.DataFrame:
    """A column per field; integers and truth values may be missing."""
    table = pd.DataFrame(map(_values, rows), columns=list(COLUMNS))
    kinds = {"question": "int64", "position": "Int64", "milliseconds": "Int64"}
    return table.astype({**kinds, "selected": "boolean"})


def _row(values: Sequence[object]) -> Row:
    fields = dict(zip(COLUMNS, values, strict=True))
    selected = fields["selected"]
    return Row(**{**fields, "selected": None if selected is None else bool(selected)})  # type: ignore[arg-type]
