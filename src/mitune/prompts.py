"""Prompts as tables, one per split, drawn and held out the same way whatever the source."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import pandas as pd

from mitune.prompt_sources import PromptError, PromptLine, PromptSource, Split
from mitune.texts import alike

_COLUMNS = ("prompt_id", "category", "prompt", "file", "line")
_CUT: tuple[Split, ...] = ("test", "tuning")
_ASKED_AT_ONCE = 10_000

Fits: TypeAlias = Callable[[Sequence[str]], Sequence[bool]]
Read: TypeAlias = Callable[[Sequence[str]], Sequence[Hashable]]
RESERVED = ("all",)  # of categories: what the report calls all of them together


def prompt_id(text: str) -> str:
    """Stable name of a prompt, safe as a file name."""
    return hashlib.sha1(text.encode()).hexdigest()[:12]


def read_splits(
    source: PromptSource,
    path: Path,
    categories: Sequence[str],
    per_category: Mapping[Split, int],
    seed: int,
    fits: Fits | None = None,
    read: Read | None = None,
) -> dict[Split, pd.DataFrame]:
    """Tables `train`, `tuning`, `test`: prompt_id, category, prompt, file, line.

    `per_category` prompts of each are drawn, the same ones for a given seed, and those already
    drawn stay when the number grows; 0 takes all there are. A split that the source does not have
    is cut from its train prompts first, never from its test prompts; 0 then cuts none. Prompts that
    `fits` says no to are passed over, as if the source did not have them. `read`: what the text
    encoder's tokenizer makes of prompts, by which they are compared; without it, as `alike` has it.

    Raises
    ------
    PromptError
        For bad or too few prompts, a category that is asked for twice or has a reserved name, or a
        prompt that two splits or categories share.
    TextError
        For a file that is not the text it should be.
    """
    _check_categories(categories)
    lines = {split: list(of_split) for split, of_split in source.read(path, categories).items()}
    known = dict.fromkeys(line.category for line in lines["train"])
    _check_categories(list(known))
    for split in _CUT:
        if split not in lines:
            count = per_category[split]
            lines[split] = _draw(lines["train"], split, count, seed, fits, True) if count else []
            texts = {line.text for line in lines[split]}
            lines["train"] = [line for line in lines["train"] if line.text not in texts]
            _check_left(path, known, lines["train"], split)
    if not lines["test"]:
        raise PromptError(
            f"{path}: has no test prompts of its own; prompts.test_per_category says how many to "
            "hold out"
        )
    drawn = {
        split: _table(_draw(of_split, split, per_category[split] or None, seed, fits))
        for split, of_split in lines.items()
    }
    _check_distinct(pd.concat(drawn.values()), read or _alike)
    return drawn


def _alike(texts: Sequence[str]) -> Sequence[Hashable]:
    return [alike(text) for text in texts]


def _check_categories(categories: Sequence[str]) -> None:
    for place, name in enumerate(categories):
        if name in categories[:place]:
            raise PromptError(f"prompts.categories: {name!r} is there twice; leave one out")
        if name in RESERVED:
            raise PromptError(
                f"prompts.categories: {name!r} is what the report calls all categories together; "
                "give this one another name"
            )


def _check_left(
    path: Path, known: Iterable[str], train: Sequence[PromptLine], split: Split
) -> None:
    left = {line.category for line in train}
    for category in known:
        if category not in left:
            raise PromptError(
                f"{path}: no prompt of {category} is left to train on; lower "
                f"prompts.{split}_per_category or add prompts"
            )


def _draw(
    lines: Sequence[PromptLine],
    split: Split,
    count: int | None,
    seed: int,
    fits: Fits | None,
    cut: bool = False,
) -> list[PromptLine]:
    """`count` lines of each category, by rank of a hash: a larger count adds to a smaller one."""
    drawn: list[PromptLine] = []
    for category in dict.fromkeys(line.category for line in lines):
        own = [line for line in lines if line.category == category]
        salt = f"{split}:{seed}" if cut else f"{seed}"
        ranked = sorted(own, key=lambda x: hashlib.sha1(f"{salt}:{x.text}".encode()).digest())
        kept = _first(ranked, count, fits)
        wanted = count or 1
        if len(kept) < wanted:
            long = " that are not too long" if fits else ""
            raise PromptError(
                f"{own[0].file}: {len(kept)} prompts of {category}{long}, {wanted} asked for; "
                f"lower prompts.{split}_per_category or add prompts"
            )
        drawn += kept
    return drawn


def _first(
    lines: Sequence[PromptLine], count: int | None, fits: Fits | None
) -> Sequence[PromptLine]:
    """The first `count` that fit, or all; of millions, no more are looked at than it takes."""
    if fits is None:
        return lines[:count]
    kept: list[PromptLine] = []
    for start in range(0, len(lines), _ASKED_AT_ONCE):
        part = lines[start : start + _ASKED_AT_ONCE]
        answers = fits([line.text for line in part])
        kept += [line for line, yes in zip(part, answers, strict=True) if yes]
        if count and len(kept) >= count:
            break
    return kept[:count]


def _table(lines: Sequence[PromptLine]) -> pd.DataFrame:
    rows = [(prompt_id(x.text), x.category, x.text, x.file, x.line) for x in lines]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _check_distinct(every: pd.DataFrame, read: Read) -> None:
    first: dict[Hashable, int] = {}
    for place, key in enumerate(read(every["prompt"].tolist())):
        if key in first:
            row, other = every.iloc[place], every.iloc[first[key]]
            same = "" if row.prompt == other.prompt else f" reads as {other.prompt!r}, which"
            raise PromptError(
                f"{row.file}:{row.line}: {row.prompt!r}{same} is also a prompt of another split "
                f"or category ({other.file}:{other.line}); remove one"
            )
        first[key] = place
