"""Adapters as folders that plain diffusers loads, handed on as `AdapterRef`."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractDataset, AbstractVersionedDataset, DatasetError, Version

from mitune.references import AdapterRef
from mitune.training.adapter_weights import FACTS, digest


class AdapterDataset(AbstractVersionedDataset[AdapterRef, AdapterRef]):
    """A folder with `pytorch_lora_weights.safetensors` and `adapter.json`; replaced in one move."""

    def __init__(
        self,
        *,
        filepath: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(PurePosixPath(filepath), version, exists_function=_is_adapter)
        self.metadata = metadata

    def load(self) -> AdapterRef:
        """Reference to the saved adapter.

        Raises
        ------
        DatasetError
            If it is missing or its weights are not those that were written.
        """
        folder = Path(self._get_load_path())
        try:
            facts = json.loads((folder / FACTS).read_text())
            current = digest(folder)
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"{folder}: no adapter ({type(error).__name__}); rerun its finetune stage"
            ) from None
        if current != facts["digest"]:
            raise DatasetError(f"{folder}: the weights were truncated or changed; rerun finetune")
        return AdapterRef(str(folder), current, int(facts["round"]))

    def save(self, data: AdapterRef) -> None:
        """Move the folder of `data` into place."""
        if data.path is None:
            raise DatasetError("there is no adapter to save")
        folder = Path(self._get_save_path())
        folder.parent.mkdir(parents=True, exist_ok=True)
        old = folder.with_suffix(".old")
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        os.replace(data.path, folder)
        shutil.rmtree(old, ignore_errors=True)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}

    def _exists(self) -> bool:
        try:
            return _is_adapter(str(self._get_load_path()))
        except DatasetError:
            return False


def _is_adapter(folder: str) -> bool:
    return (Path(folder) / FACTS).exists()


class NoAdapterDataset(AbstractDataset[AdapterRef, AdapterRef]):
    """The base model as round 0: no adapter."""

    def __init__(self, *, metadata: dict[str, Any] | None = None) -> None:
        self.metadata = metadata

    def load(self) -> AdapterRef:
        """The reference that names no adapter."""
        return AdapterRef(None)

    def save(self, data: AdapterRef) -> None:
        """The base model is not written."""
        raise DatasetError("the base model has no adapter to save")

    def fingerprint(self) -> str:
        """Name of the content."""
        return "none"

    def _describe(self) -> dict[str, Any]:
        return {}

    def _exists(self) -> bool:
        return True
