"""What image quality is measured with."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from mitune.metrics.embedders import EmbedderConfig
from mitune.metrics.quality import Quality
from mitune.metrics.references import PictureFolder, ReferenceConfig, Rendered


class QualitySettings(BaseModel):
    """Named measures, and the reference pictures of all of them. `null` drops a measure of base."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: ReferenceConfig = Rendered()
    measures: dict[str, Quality]

    @field_validator("measures", mode="before")
    @classmethod
    def _without_dropped(cls, measures: dict[str, Any]) -> dict[str, Any]:
        return {name: config for name, config in measures.items() if config is not None}

    @property
    def embedders(self) -> dict[str, EmbedderConfig]:
        """Each embedder once, by a name of what its vectors depend on."""
        return {embedder_name(m.embedder): m.embedder for m in self.measures.values()}

    @property
    def files(self) -> tuple[Path, ...]:
        """Weights and pictures that are read: their contents count like parameters."""
        weights = tuple(file for c in self.embedders.values() for file in c.files.values())
        pictures = (self.reference.path,) if isinstance(self.reference, PictureFolder) else ()
        return weights + pictures


NO_DISTANCES = QualitySettings(measures={})


def embedder_name(embedder: EmbedderConfig) -> str:
    """`clip-0a1b2c3d`."""
    digest = hashlib.sha256(str(sorted(embedder.provenance.items())).encode()).hexdigest()
    return f"{embedder.kind}-{digest[:8]}"
