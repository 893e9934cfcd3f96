"""Prompt files in T2I-CompBench's format: one prompt a line, text before the first tab."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mitune.errors import UserError


class PromptError(UserError):
    """Bad prompts; the message names the file, the line and the fix."""


@dataclass(frozen=True)
class PromptLine:
    """One prompt and where it stands."""

    text: str
    file: Path
    line: int


def prompt_id(text: str) -> str:
    """Stable name of a prompt, safe as a file name."""
    return hashlib.sha1(text.encode()).hexdigest()[:12]


def read_prompt_file(path: Path) -> list[PromptLine]:
    """All prompts of a file; CRLF and a missing last newline are fine.

    Raises
    ------
    PromptError
        If the file is missing, empty or not UTF-8, or holds a blank or a duplicated line.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise PromptError(f"{path}: not found; create it, or correct prompts.categories") from None
    except UnicodeDecodeError as error:
        bad = path.read_bytes()[: error.start].count(b"\n") + 1
        raise PromptError(f"{path}:{bad}: not UTF-8; save the file as UTF-8") from None
    if not text.strip():
        raise PromptError(f"{path}: no prompts; put one on each line")
    seen: dict[str, int] = {}
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        prompt = line.split("\t")[0].strip()
        if not prompt:
            raise PromptError(f"{path}:{number}: blank prompt; remove the line")
        if prompt in seen:
            raise PromptError(
                f"{path}:{number}: duplicate of line {seen[prompt]} ({prompt!r}); remove one"
            )
        seen[prompt] = number
        found.append(PromptLine(prompt, path, number))
    return found


def read_split(
    folder: Path, categories: Sequence[str], split: str, per_category: int, seed: int
) -> pd.DataFrame:
    """A table of prompts of `{category}_{split}.txt`: prompt_id, category, prompt, file, line.

    With `per_category` > 0 that many are drawn from each file, the same ones for a given seed;
    0 takes all.
    """
    rows = []
    for category in categories:
        lines = read_prompt_file(folder / f"{category}_{split}.txt")
        if per_category > len(lines):
            raise PromptError(
                f"{lines[0].file}: {len(lines)} prompts, {per_category} asked for; lower "
                f"prompts.{split}_per_category or add prompts"
            )
        # Drawing by rank of a hash keeps the choice when per_category grows: more prompts later
        # are added to those already there.
        order = sorted(lines, key=lambda p: hashlib.sha1(f"{seed}:{p.text}".encode()).digest())
        rows += [
            {
                "prompt_id": prompt_id(line.text),
                "category": category,
                "prompt": line.text,
                "file": line.file.name,
                "line": line.line,
            }
            for line in order[: per_category or None]
        ]
    table = pd.DataFrame(rows)
    repeated = table[table.duplicated("prompt_id")]
    if len(repeated):
        row = repeated.iloc[0]
        raise PromptError(
            f"{row.file}:{row.line}: {row.prompt!r} is already a prompt of another category"
        )
    return table


def image_seed(*parts: object) -> int:
    """A 63-bit seed that depends on what it is for, and on nothing else."""
    name = ":".join(str(part) for part in parts)
    return int(np.frombuffer(hashlib.sha256(name.encode()).digest()[:8], "<u8")[0] >> 1)
