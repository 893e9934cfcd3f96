"""All examples of a source as a table: who is compared with whom, without the pictures.

A picture is known by its content, however many examples show it, and lies in one part of the
set: parts are what is encoded, stored and found again together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal, TypeAlias

import pandas as pd

from mitune.example_sets.base import Example, ExampleError
from mitune.example_sets.pictures import opened
from mitune.prompts import prompt_id

Repeats: TypeAlias = Literal["drop", "keep", "one_per_prompt"]

_COLUMNS = ("example", "role", "prompt_id", "category", "prompt", "label", "picture", "where")
_MOST = 512  # pictures of a part
_LAST = "00"  # digests that a part ends with: one in 256


def digest(content: bytes) -> str:
    """The name of a picture."""
    return hashlib.sha256(content).hexdigest()[:20]


def index(examples: Iterable[Example], repeats: Repeats, most: int | None = None) -> pd.DataFrame:
    """One line per picture of an example: `example`, `role`, its prompt, `label`, `picture`, where.

    `picture` is the digest, `shard` the part that it is in and `image_index` its place there.
    `repeats`: the same pictures in the same roles for the same prompt count once (`drop`); always
    (`keep`, as the released codes have it); a prompt comes once, with its first example
    (`one_per_prompt`: DSPO's nodup). `most`: only so many examples, the first ones.

    Every picture is opened, so that none is found broken when training has begun.

    Raises
    ------
    ExampleError
        If there are none, a picture cannot be read, or a pair prefers a picture to itself.
    """
    lines: list[tuple[object, ...]] = []
    sound: set[str] = set()
    for number, example in enumerate(islice(_distinct(examples, repeats), most)):
        _check_pair(example)
        for role, picture in example.pictures.items():
            name = digest(picture.content)
            if name not in sound:
                opened(picture)
                sound.add(name)
            lines.append(
                (
                    number,
                    role,
                    prompt_id(example.prompt),
                    example.category,
                    example.prompt,
                    1 - example.label if role == "loser" else example.label,
                    name,
                    picture.where,
                )
            )
    if not lines:
        raise ExampleError(
            "the set is empty: no row says which picture is better; check its labels, or keep ties"
        )
    table = pd.DataFrame(lines, columns=list(_COLUMNS))
    places = _placed(list(dict.fromkeys(table["picture"])))
    return table.merge(places, on="picture", how="left", validate="many_to_one")


def _check_pair(example: Example) -> None:
    contents = [picture.content for picture in example.pictures.values()]
    if example.label == 1 and len(contents) > len(set(contents)):
        raise ExampleError(
            f"{example.where}: {' and '.join(example.pictures)} are the same picture, which "
            "prefers nothing; drop the row"
        )


def _distinct(examples: Iterable[Example], repeats: Repeats) -> Iterator[Example]:
    seen: set[bytes] = set()
    for example in examples:
        key = _key(example, repeats)
        if repeats == "keep" or key not in seen:
            seen.add(key)
            yield example


def _key(example: Example, repeats: Repeats) -> bytes:
    facts = [example.prompt]
    if repeats == "drop":
        facts += [f"{role} {digest(each.content)}" for role, each in example.pictures.items()]
        facts.append(str(example.label))
    return hashlib.sha256("\x1f".join(facts).encode()).digest()


def _placed(pictures: Sequence[str]) -> pd.DataFrame:
    """Columns picture, shard, image_index.

    A part ends with a picture that is recognised by its content, so that a row that is added or
    dropped changes the part that it is in and no other.
    """
    parts: list[list[str]] = [[]]
    for name in pictures:
        parts[-1].append(name)
        if name.endswith(_LAST) or len(parts[-1]) == _MOST:
            parts.append([])
    rows = [
        (name, hashlib.sha256("".join(part).encode()).hexdigest()[:12], place)
        for part in parts
        for place, name in enumerate(part)
    ]
    return pd.DataFrame(rows, columns=["picture", "shard", "image_index"])
