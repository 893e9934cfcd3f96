"""A diffusers model folder (or hub id), handed on as a `ModelRef`; nodes open it themselves."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from mitune.backbones.base import ModelRef


class ModelDataset(AbstractDataset[ModelRef, ModelRef]):
    """Load-only. The digest covers names and contents of all weights and configurations."""

    def __init__(
        self, *, path: str, revision: str | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        self._path = path
        self._revision = revision
        self.metadata = metadata

    def load(self) -> ModelRef:
        """Path, revision and digest of the model; no weights are read into memory."""
        folder = Path(self._path)
        if not folder.is_dir():
            # A hub id: its revision is its identity.
            return ModelRef(self._path, f"{self._path}@{self._revision}", self._revision)
        return ModelRef(str(folder), digest(folder), self._revision)

    def save(self, data: ModelRef) -> None:
        """Models are not written through this entry."""
        raise DatasetError(f"{self._path} is an input; no node may save to it")

    def fingerprint(self) -> str:
        """Name of the content."""
        return self.load().digest

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path, "revision": self._revision}

    def _exists(self) -> bool:
        return Path(self._path).is_dir()


def digest(folder: Path) -> str:
    """Content hash of every file that decides what the model computes."""
    whole = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix in {".safetensors", ".json", ".txt", ".bin", ".model"}:
            whole.update(str(file.relative_to(folder)).encode())
            whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:16]
