"""What a source of edits is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from mitune.example_sets.base import Picture
from mitune.miniature.edit import SceneEdit


@dataclass(frozen=True)
class Edit:
    """A picture and what is to be done to it.

    `name` is safe as a file name and no other edit's. `instruction`: `make the red circle blue`;
    `caption`: what the edited picture should show, for models that take no instructions and for
    metrics (where a source has none, the instruction). `output`: what somebody has made of it.
    `scene`: how it can be judged exactly, in the miniature's world.
    """

    name: str
    picture: Picture
    instruction: str
    caption: str
    category: str
    output: Picture | None = None
    scene: SceneEdit | None = None


class EditSource(Protocol):
    """Edits, one by one."""

    def read(self, prompts: pd.DataFrame) -> Iterator[Edit]:
        """All of them; those that are made are of `prompts`. Raises ExampleError."""
        ...
