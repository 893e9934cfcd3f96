"""Which examples are read, and how."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, PositiveInt

from mitune.example_sets import SourceConfig
from mitune.example_sets.index import Repeats


class Examples(BaseModel):
    """Examples from files; what is trained on is what `finetune.objective` eats of them.

    `repeats`, `most`: as `example_sets.index`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: SourceConfig
    repeats: Repeats = "drop"
    most: PositiveInt | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read: its contents count like parameters."""
        return (self.source.path,)
