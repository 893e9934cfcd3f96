"""A table as a Parquet file that knows its own content: one flipped bit, and it is no shard.

Parquet's checksums leave out the headers of its pages and its footer.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api import types

_CONTENT = "content"


def write_shard(table: pd.DataFrame, path: Path) -> None:
    """Write next to its place, then move it there. Raises OSError, and leaves nothing then."""
    kept = table.attrs
    partial = path.with_suffix(".partial")
    table.attrs = {**kept, _CONTENT: content_of(table)}
    try:
        table.to_parquet(partial, index=False)
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    finally:
        table.attrs = kept


def read_shard(path: Path) -> pd.DataFrame:
    """The table as it was written, with its attrs.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is not what was written; no other error, whatever is in the file.
    """
    try:
        table = pd.read_parquet(path)
        written = table.attrs.pop(_CONTENT)
        same = written == content_of(table)
    except FileNotFoundError:
        raise
    except Exception as error:  # whichever of the many that pyarrow, json and pandas raise
        raise ValueError(f"{type(error).__name__} while it was read") from None
    if not same:
        raise ValueError("its content is not what was written")
    return table


def content_of(table: pd.DataFrame) -> str:
    """A digest of names, values and attrs; columns of numbers, text, bytes and arrays."""
    facts = {name: value for name, value in table.attrs.items() if name != _CONTENT}
    whole = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in table:
        whole.update(f"\n{name}:{len(table)}\n".encode())
        column = table[name]
        if types.is_numeric_dtype(column):
            whole.update(np.ascontiguousarray(column.to_numpy()).tobytes())
            continue
        for value in column:
            raw = _bytes(value)
            whole.update(len(raw).to_bytes(8, "little") + raw)
    return whole.hexdigest()


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, np.ndarray):
        return value.tobytes()
    return str(value).encode()
