"""Pictures and what they look like in another style (Diff-contrast, section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from mitune.example_sets.base import Example, Reads
from mitune.example_sets.picture_pairs import pair_of
from mitune.example_sets.records import records


class StylePairs(BaseModel):
    """A manifest in the folder `path`: columns prompt, original, edited; the edited one wins."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reads: ClassVar[Reads] = "pairs"

    kind: Literal["style_pairs"] = "style_pairs"
    path: Path

    def read(self) -> Iterator[Example]:
        """As `ExampleSource.read`."""
        for record in records(self.path, ("prompt", "original", "edited"), ("category",)):
            yield pair_of(record, "prompt", "edited", "original")
