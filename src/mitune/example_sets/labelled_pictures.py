"""Single pictures that are liked or not, in any CSV or Parquet manifest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from mitune.example_sets.base import Example, ExampleError, Reads
from mitune.example_sets.records import records


class LabelledPictures(BaseModel):
    """A manifest in the folder `path`: columns prompt, image, label (1 liked, 0 not).

    A cell `image` names a file below the folder, or is the picture itself (bytes).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reads: ClassVar[Reads] = "labels"

    kind: Literal["labelled"] = "labelled"
    path: Path
    prompt: str = "prompt"
    image: str = "image"
    label: str = "label"

    def read(self) -> Iterator[Example]:
        """As `ExampleSource.read`."""
        for record in records(self.path, (self.prompt, self.image, self.label), ("category",)):
            label = record.number(self.label)
            if label not in (0, 1):
                raise ExampleError(
                    f"{record.where}: {self.label} is {record.cells.get(self.label)!r}; write 1 "
                    "(liked) or 0 (not)"
                )
            yield Example(
                record.text(self.prompt),
                {"image": record.picture(self.image)},
                record.where,
                label,
                record.cells.get("category") or "",
            )
