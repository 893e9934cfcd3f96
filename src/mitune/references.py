"""Names of models and adapters, which stages hand on in place of weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

DType: TypeAlias = Literal["float32", "float16", "bfloat16"]


@dataclass(frozen=True)
class ModelRef:
    """A text-to-image model by name: a local folder (or hub id), its revision, its content hash."""

    path: str
    digest: str
    revision: str | None = None
    max_sequence_length: int | None = None  # tokens of T5 (SD3); None: diffusers' default

    @property
    def from_hub(self) -> bool:
        """Whether the path is a hub id: it has a revision and is no folder here."""
        return self.revision is not None and not Path(self.path).is_dir()


@dataclass(frozen=True)
class AdapterRef:
    """A fine-tuned adapter, or none (`path is None`: the base model)."""

    path: str | None
    digest: str = "base"
    round: int = 0
