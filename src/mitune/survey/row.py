"""One option of one question of one survey: the row that everything here reads and writes."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["metrics", "methods"]
"""Pictures that different metrics choose (Table 6), or that different methods make (Table 7)."""

KINDS: tuple[Kind, ...] = ("metrics", "methods")

GROUP = re.compile(r"[\w-]+")
"""What a group of respondents may be called: it names a folder of exported answers."""


@dataclass(frozen=True)
class Row:
    """As stored. Without an answer `selected` is None.

    `position`: place on the page, from 1; options with one picture share it. `milliseconds`: from
    the page being sent to the answer. Both are None where the source does not say (official CSV),
    and so is `picture`.
    """

    survey: str
    study: Kind
    campaign: str
    group: str
    question: int
    category: str
    prompt_id: str
    prompt: str
    option: str
    position: int | None
    selected: bool | None
    picture: str | None
    milliseconds: int | None


COLUMNS = tuple(field.name for field in fields(Row))
