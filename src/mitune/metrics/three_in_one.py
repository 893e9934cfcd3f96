"""3-in-1 of T2I-CompBench (Huang et al. 2023), for prompts of category "complex".

The mean of those of BLIP-VQA, 2D-spatial and CLIP-score that apply to a prompt; computed from
columns of an evaluation that is already there. With spatial scores of an open-vocabulary detector
it is not the published 3-in-1.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import pandas as pd

from mitune.metrics.base import MetricError
from mitune.metrics.nouns import is_being, is_verb, words
from mitune.metrics.relations import find_wording
from mitune.metrics.spatial_2d import OFFICIAL_WORDINGS

Kind: TypeAlias = Literal["spatial", "action", "both"]

_FILES: Mapping[str, Kind] = {"spatial": "spatial", "action": "action", "spatialaction": "both"}


def three_in_one(
    table: pd.DataFrame,
    *,
    vqa: str,
    spatial: str,
    clip: str,
    kinds: Mapping[str, Kind] | None = None,
) -> pd.Series:
    """One number for each row of `table`, which has a column `prompt` and the three named.

    Spatial prompts: (vqa + spatial) / 2; action: (vqa + clip) / 2; both: all three / 3. `kinds`
    (`read_kinds`) says which is which; without, `kind_of` reads it from the prompt. Rows are
    scored one by one: unlike the official code, nothing is assumed of images per prompt or order.

    Raises
    ------
    MetricError
        Naming the column that is missing, or a prompt that `kinds` does not have.
    """
    used: Mapping[Kind, list[str]] = {
        "spatial": [vqa, spatial],
        "action": [vqa, clip],
        "both": [vqa, spatial, clip],
    }
    for name in ("prompt", *used["both"]):
        if name not in table.columns:
            raise MetricError(f"3-in-1: no column {name!r}; evaluate with that metric first")
    given = None if kinds is None else {_plain(prompt): kind for prompt, kind in kinds.items()}
    kind = table["prompt"].map(
        {prompt: _looked_up(prompt, given) for prompt in table["prompt"].unique()}
    )
    found = pd.Series(float("nan"), index=table.index, name="three_in_one")
    for each, columns in used.items():
        rows = kind == each
        found[rows] = table.loc[rows, columns].astype(float).mean(axis=1, skipna=False)
    return found


def kind_of(prompt: str) -> Kind:
    """`spatial` if the prompt has one of the benchmark's relations, `both` if that hangs on a verb.

    "The cat is next to the dog" is spatial, "The cat sat next to the dog" both, and what has none
    of those relations is an action.
    """
    wording = find_wording(prompt, OFFICIAL_WORDINGS)
    if wording is None:
        return "action"
    before = ["the", *words(prompt[: wording.start()])]
    for article, word in reversed(list(pairwise(before))):
        if is_being(word):
            return "spatial"
        if is_verb(word) and article not in ("a", "an", "the"):  # not "the striped cat"
            return "both"
    return "spatial"


def read_kinds(folder: Path, split: str = "val") -> dict[str, Kind]:
    """Kinds of prompts by the benchmark's files complex_{split}_{spatial,action,spatialaction}.txt.

    Raises
    ------
    MetricError
        If one is missing.
    """
    kinds: dict[str, Kind] = {}
    for part, kind in _FILES.items():
        path = folder / f"complex_{split}_{part}.txt"
        if not path.is_file():
            raise MetricError(
                f"{path}: not found; it is in examples/dataset of T2I-CompBench, or leave the "
                "kinds out to have them read from the prompts"
            )
        lines = path.read_text(encoding="utf-8").splitlines()
        kinds |= {_plain(line): kind for line in lines if line.strip()}
    return kinds


def _looked_up(prompt: str, kinds: Mapping[str, Kind] | None) -> Kind:
    if kinds is None:
        return kind_of(prompt)
    if _plain(prompt) not in kinds:
        raise MetricError(f"3-in-1: kind of {prompt!r} not given; add it, or give no kinds at all")
    return kinds[_plain(prompt)]


def _plain(prompt: str) -> str:
    """Up to capitals, spaces and the last dot."""
    return " ".join(prompt.casefold().split()).rstrip(".")
