"""Which style, and how it is measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from mitune.example_sets import Example, StylePairs
from mitune.example_sets.index import Repeats
from mitune.example_sets.restyled import Restyled


class Restyle(BaseModel):
    """Pairs of pictures and their edits: of a folder, or of the miniature's world.

    `folder`: in the layout of `StylePairs`; null: `world`. `repeats`, `most`: as
    `example_sets.index`. `prompts`: how many of the set's prompts are painted and compared with
    their edited pictures; null: all. `groups`: of prompts, for intervals.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path | None = None
    world: Restyled = Restyled()
    repeats: Repeats = "drop"
    most: PositiveInt | None = None
    prompts: PositiveInt | None = None
    groups: int = Field(default=20, ge=3)

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read: its contents count like parameters."""
        return (self.folder,) if self.folder else ()

    def read(self, prompts: pd.DataFrame) -> Iterator[Example]:
        """Its pairs; those of the miniature's world are of `prompts`."""
        if self.folder:
            return StylePairs(path=self.folder).read()
        return self.world.read(prompts)
