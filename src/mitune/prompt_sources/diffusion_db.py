"""DiffusionDB (Wang et al. 2023): prompts of users, from `metadata.parquet`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.dataset as ds
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from mitune.prompt_sources.base import Lines, PromptError, PromptLine, Split, distinct

_COLUMNS = ("prompt", "prompt_nsfw", "width", "height")


class DiffusionDB(BaseModel):
    """Distinct prompts below a level of NSFW, made at one size; only these columns are read.

    The table has two million rows (the large one 14): the reader streams it and keeps distinct
    prompts in the order of the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["diffusion_db"] = "diffusion_db"
    most_nsfw: float = Field(default=0.5, ge=0, le=1)
    size: PositiveInt | None = 512

    def read(self, path: Path, categories: Sequence[str]) -> Mapping[Split, Lines]:
        """One pool under the category `diffusion_db`."""
        try:
            table = ds.dataset(path, format="parquet")
            kept = ds.field("prompt_nsfw") < self.most_nsfw
            if self.size:
                kept = kept & (ds.field("width") == self.size) & (ds.field("height") == self.size)
            rows = table.to_table(columns=["prompt"], filter=kept).column("prompt").to_pylist()
            if not all(isinstance(text, str | None) for text in rows):
                raise pa.ArrowInvalid("prompt is no text")
        except (pa.ArrowException, OSError) as error:
            raise PromptError(
                f"{path}: not DiffusionDB's metadata.parquet, with columns {', '.join(_COLUMNS)} "
                f"({str(error).splitlines()[0]})"
            ) from None
        lines = (
            PromptLine(text.strip(), "diffusion_db", path.name, number)
            for number, text in enumerate(rows, start=1)
            if text and text.strip()
        )
        return {"train": distinct(lines)}
