"""Pictures of a set as latents: each encoded once, part by part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

import numpy as np
import pandas as pd

from mitune.backbones import Backbone
from mitune.example_sets.base import Example, ExampleError, Picture
from mitune.example_sets.index import digest
from mitune.example_sets.pictures import squared


def encoded(
    backbone: Backbone,
    examples: Iterable[Example],
    index: pd.DataFrame,
    facts: Mapping[str, Mapping[str, Any]],
    batch_size: int,
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield (part, its pictures) of an `index` of `examples` for the parts that `facts` names.

    Columns: picture, image_index, latent (float16 bytes); attrs: latent_shape, and `key` and
    `made_by` of its facts. No more than a part or two are in memory.

    Raises
    ------
    ExampleError
        If a picture is not among the examples any more.
    """
    places = index.drop_duplicates("picture")
    places = places[places["shard"].isin(set(facts))]
    missing = {str(part): set(rows["picture"]) for part, rows in places.groupby("shard")}
    part_of = dict(zip(places["picture"], places["shard"], strict=True))
    found: dict[str, dict[str, Picture]] = {part: {} for part in missing}
    for name, picture in _pictures(examples, part_of.keys()):
        part = part_of[name]
        found[part][name] = picture
        if found[part].keys() == missing[part]:
            rows = places[places["shard"] == part].sort_values("image_index")
            yield part, _encoded_part(backbone, rows, found.pop(part), facts[part], batch_size)
            if not found:
                return
    for part, there in found.items():
        gone = places[(places["shard"] == part) & ~places["picture"].isin(there.keys())]
        raise ExampleError(
            f"{gone['where'].iloc[0]}: is not what it was when the set was read; read it again "
            "(node read_examples)"
        )


def _pictures(examples: Iterable[Example], wanted: Set[str]) -> Iterator[tuple[str, Picture]]:
    """The first time that each is seen."""
    seen: set[str] = set()
    for example in examples:
        for picture in example.pictures.values():
            name = digest(picture.content)
            if name in wanted and name not in seen:
                seen.add(name)
                yield name, picture


def _encoded_part(
    backbone: Backbone,
    rows: pd.DataFrame,
    pictures: Mapping[str, Picture],
    facts: Mapping[str, Any],
    batch_size: int,
) -> pd.DataFrame:
    latents: list[np.ndarray] = []
    for start in range(0, len(rows), batch_size):
        names = rows["picture"].iloc[start : start + batch_size]
        pixels = np.stack([squared(pictures[name], backbone.image_size) for name in names])
        latents += list(backbone.encode(pixels).cpu().numpy().astype(np.float16))
    table = rows[["picture", "image_index"]].reset_index(drop=True)
    table["latent"] = [latent.tobytes() for latent in latents]
    table.attrs = {
        "key": facts["key"],
        "made_by": facts["made_by"],
        "latent_shape": list(latents[0].shape),
    }
    return table
