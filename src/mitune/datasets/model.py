"""A diffusers model folder (or hub id), handed on as a `ModelRef`; nodes open it themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from mitune.lineage.content import content_digest
from mitune.references import ModelRef

_DECIDING = {".safetensors", ".json", ".txt", ".bin", ".model"}


class ModelDataset(AbstractDataset[ModelRef, ModelRef | None]):
    """Load-only. The digest covers names and contents of all weights and configurations.

    `path: null` is no model, and loads as None. Kedro makes `path` absolute, which a hub id does
    not survive: `hub_id` is the same name as it was written, taken if there is no such folder and
    `revision` is given.
    """

    def __init__(
        self,
        *,
        path: str | None,
        hub_id: str | None = None,
        revision: str | None = None,
        max_sequence_length: int | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path = path
        self._hub_id = hub_id
        self._revision = revision
        self._tokens = max_sequence_length
        self.metadata = metadata

    def load(self) -> ModelRef | None:
        """Path, revision and digest of the model; no weights are read into memory."""
        if self._path is None:
            return None
        if self._on_hub:
            assert self._hub_id is not None
            return self._ref(self._hub_id, f"{self._hub_id}@{self._revision}")
        return self._ref(self._path, digest(Path(self._path)))

    @property
    def _on_hub(self) -> bool:
        named = self._hub_id is not None and self._revision is not None
        return named and self._path is not None and not Path(self._path).is_dir()

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
        return {"path": self._path, "hub_id": self._hub_id, "revision": self._revision}

    def _exists(self) -> bool:
        return self._path is None or self._on_hub or Path(self._path).is_dir()


def digest(folder: Path) -> str:
    """Content hash of every file that decides what the model computes."""
    return content_digest(folder, _DECIDING) or "empty"
