"""The tables that stages exchange, as schemas: columns and what is in them.

The catalog checks a table where it enters a stage (`validator:` in conf/base/catalog.yml), which
is Kedro's own way; a schema needs no more of a library than this record, so that no second one
(pandera: a second to import) stands behind six tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import pandas as pd
from pandas.api import types

from mitune.errors import UserError

Kind: TypeAlias = Literal["text", "whole", "number", "flag"]

_HOLDS = {
    "text": lambda column: column.map(lambda value: isinstance(value, str)).all(),
    "whole": types.is_integer_dtype,
    "number": lambda c: types.is_numeric_dtype(c) and not types.is_bool_dtype(c),
    "flag": types.is_bool_dtype,
}
_WORDS = {
    "text": "text",
    "whole": "whole numbers",
    "number": "numbers",
    "flag": "true or false",
}


@dataclass(frozen=True)
class Table:
    """Columns that a table must have, all of them filled; it may have more.

    `scored`: besides these it has a number or more of its own, estimates of MI or metrics.
    `optional`: columns that it may leave out, but not have half.
    """

    columns: Mapping[str, Kind]
    scored: bool = False
    optional: Mapping[str, Kind] = field(default_factory=dict)

    def validate(self, data: pd.DataFrame) -> pd.DataFrame:
        """The table as it is.

        Raises
        ------
        UserError
            Naming the first column that is missing, empty somewhere or of another type.
        """
        given = {name: kind for name, kind in self.optional.items() if name in data}
        for name, kind in {**self.columns, **given}.items():
            if name not in data:
                raise UserError(f"column {name} is missing; rerun what made the table")
            if data[name].isna().any():
                raise UserError(f"column {name} has empty cells; rerun what made the table")
            if not _HOLDS[kind](data[name]):
                raise UserError(
                    f"column {name} should be {_WORDS[kind]}, not {data[name].dtype}; "
                    "rerun what made the table"
                )
        rest = data.drop(columns=list(self.columns)).select_dtypes("number")
        if self.scored and rest.empty:
            raise UserError("no column of scores; rerun what made the table")
        return data


_PROMPT: dict[str, Kind] = {"prompt_id": "text", "category": "text", "prompt": "text"}
_IMAGE: dict[str, Kind] = {**_PROMPT, "image_index": "whole", "seed": "whole"}
_INTERVAL: dict[str, Kind] = {"low": "number", "high": "number"}
_COUNTS: dict[str, Kind] = {"prompts": "whole", "images": "whole"}

PROMPTS = Table(_PROMPT)
SCORES = Table(_IMAGE, scored=True)
MEASUREMENTS = Table(_IMAGE, scored=True)
FINETUNING_SET = Table(
    {**_PROMPT, "image_index": "whole"},
    optional={
        "seed": "whole",  # of a run's own candidates, and their rank
        "rank": "whole",
        "shard": "text",  # where pictures from files are; candidates are by prompt
        "example": "whole",
        "role": "text",
        "label": "number",
        "weight": "number",
    },
)
EXAMPLES = Table(
    {
        **_PROMPT,
        "example": "whole",
        "role": "text",
        "label": "number",
        "picture": "text",
        "where": "text",
        "shard": "text",
        "image_index": "whole",
    }
)
EVALUATION = Table(_IMAGE, scored=True)
SUMMARY = Table(
    {
        "model": "text",
        "category": "text",
        "metric": "text",
        "mean": "number",
        **_INTERVAL,
        **_COUNTS,
        "difference": "number",
        "difference_low": "number",
        "difference_high": "number",
        "reward_used": "flag",
    }
)
GUIDANCE_CURVE = Table(
    {
        "model": "text",
        "scale": "number",
        "metric": "text",
        "value": "number",
        **_INTERVAL,
        **_COUNTS,
    }
)
