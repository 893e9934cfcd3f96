"""What a page shows and where it leads, from the rows of a survey and the fields of a form."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from mitune.survey.row import Row

NONE = "none"
"""What a form sends for "None of them"."""

_MOST_MILLISECONDS = 3_600_000


def first_open(questions: Mapping[int, Sequence[Row]]) -> int | None:
    """The first question without an answer; None if all have one."""
    return next((n for n, rows in questions.items() if rows[0].selected is None), None)


def new_secret() -> str:
    """What opens a new survey: the time it begins and 128 random bits."""
    return f"{datetime.now(timezone.utc):%Y%m%d_%H%M%S_%f}_{secrets.token_hex(16)}"


def survey_of(secret: str) -> str:
    """The name that a survey is stored under, from what its address says.

    What is stored, exported and published does not open the survey again: the random part is
    hashed.
    """
    time, _, random = secret.rpartition("_")
    return f"{time}_{hashlib.sha256(random.encode()).hexdigest()[:32]}"


def address(secret: str, number: int | None) -> str:
    """Of a question, or of the end."""
    return f"/survey/{secret}/{number or 'done'}"


def ticked(rows: Sequence[Row]) -> set[str]:
    """What the page shows as ticked: what was chosen, and nothing if nothing was answered."""
    if rows[0].selected is None:
        return set()
    return {str(row.position) for row in rows if row.selected} or {NONE}


def problem_with(given: set[str]) -> str:
    """Why these values are no answer, in words; nothing if they are one."""
    if not given:
        return "Please tick every picture that fits, or “None of them”."
    if NONE in given and len(given) > 1:
        return "You ticked “None of them” and a picture: please keep one or the other."
    return ""


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def elapsed(form: Mapping[str, list[str]]) -> int | None:
    """Milliseconds since the page was sent; None if that is not known or cannot be."""
    shown = form.get("shown", [""])[0]
    if not (shown.isascii() and shown.isdigit() and len(shown) < 16):
        return None
    passed = now() - int(shown)
    return passed if 0 <= passed <= _MOST_MILLISECONDS else None
