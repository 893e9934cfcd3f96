"""What is edited, and how."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt

from mitune.backbones.editing import Editing
from mitune.example_sets.edits import AttributeEdits, EditConfig


class Edits(BaseModel):
    """Pictures with their instructions, and how models edit them.

    `images_per_edit`: by seeds that all models share. `most`: edits, the first ones; null: all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: EditConfig = AttributeEdits()
    editing: Editing = Editing()
    images_per_edit: PositiveInt = 1
    most: PositiveInt | None = None
    seed: NonNegativeInt = 0

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read: its contents count like parameters."""
        return self.source.files
