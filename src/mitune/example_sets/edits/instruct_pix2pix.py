"""The layout of `fusing/instructpix2pix-1000-samples`, DSPO's Table 4.

Brooks et al. (2023), InstructPix2Pix, arXiv:2211.09800.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

from mitune.example_sets.base import ExampleError
from mitune.example_sets.edits.base import Edit
from mitune.example_sets.index import digest
from mitune.example_sets.pictures import opened
from mitune.example_sets.records import records


class InstructPix2PixSamples(BaseModel):
    """Parquet files, or a manifest, in `path`: input_image, edit_prompt, edited_image.

    Pictures are bytes, as the library datasets writes them, or names of files below the folder. The
    instruction is the text that models and metrics read, as in DSPO. A row that comes twice counts
    once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["instruct_pix2pix"] = "instruct_pix2pix"
    path: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The folder."""
        return (self.path,)

    def read(self, prompts: pd.DataFrame) -> Iterator[Edit]:
        """As `EditSource.read`; `prompts` do not matter."""
        seen: set[str] = set()
        for record in records(self.path, ("input_image", "edit_prompt", "edited_image")):
            text, picture = record.text("edit_prompt"), record.picture("input_image")
            key = f"{digest(picture.content)} {text}"
            name = hashlib.sha256(key.encode()).hexdigest()[:12]
            if name not in seen:
                seen.add(name)
                opened(picture)
                output = record.picture("edited_image")
                yield Edit(name, picture, text, text, "edits", output)
        if not seen:
            raise ExampleError(f"{self.path}: no edits; add rows")
