"""A diffusers model folder (or hub id), handed on as a `ModelRef`; nodes open it themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from mitune.backbones.base import ModelRef
from mitune.lineage.content import content_digest

_DECIDING = {".safetensors", ".json", ".txt", ".bin", ".model"}


class ModelDataset(AbstractDataset[ModelRef, ModelRef | None]):
    """Load-only. The digest covers names and contents of all weights and configurations.

    `path: null` is no model, and loads as None.
    """

    def __init__(
        self,
        *,
        path: str | None,
        revision: str | None = None,
        max_sequence_length: int | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path = path
        self._revision = revision
        self._tokens = max_sequence_length
        self.metadata = metadata

    def load(self) -> ModelRef | None:
        """Path, revision and digest of the model; no weights are read into memory."""
        if self._path is None:
            return None
        folder = Path(self._path)
        if not folder.is_dir():
            # A hub id: its revision is its identity.
            return self._ref(self._path, f"{self._path}@{self._revision}")
        return self._ref(str(folder), digest(folder))

    def _ref(self, path: str, digest: str) -> ModelRef:
        marked = digest if self._tokens is None else f"{digest}-{self._tokens}"
        return ModelRef(path, marked, self._revision, self._tokens)

    def save(self, data: ModelRef) -> None:
        """Models are not written through this entry."""
        raise DatasetError(f"{self._path} is an input; no node may save to it")

    def fingerprint(self) -> str:
        """Name of the content."""
        model = self.load()
        return model.digest if model else "none"

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path, "revision": self._revision}

    def _exists(self) -> bool:
        return self._path is None or Path(self._path).is_dir()


def digest(folder: Path) -> str:
    """Content hash of every file that decides what the model computes."""
    return content_digest(folder, _DECIDING) or "empty"
