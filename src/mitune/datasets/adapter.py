"""Adapters as folders that plain diffusers loads, handed on as `AdapterRef`."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from mitune.adapters import digest
from mitune.backbones.base import AdapterRef


class AdapterDataset(AbstractDataset[AdapterRef, AdapterRef]):
    """A folder with `pytorch_lora_weights.safetensors` and `adapter.json`; replaced in one move."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> AdapterRef:
        """Reference to the saved adapter.

        Raises
        ------
        DatasetError
            If it is missing or its weights are not those that were written.
        """
        try:
            facts = json.loads((self._filepath / "adapter.json").read_text())
            found = digest(self._filepath)
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"{self._filepath}: no adapter ({type(error).__name__}); rerun its finetune stage"
            ) from None
        if found != facts["digest"]:
            raise DatasetError(
                f"{self._filepath}: the weights were truncated or changed; rerun finetune"
            )
        return AdapterRef(str(self._filepath), found, int(facts["round"]))

    def save(self, data: AdapterRef) -> None:
        """Move the folder of `data` into place."""
        if data.path is None:
            raise DatasetError("there is no adapter to save")
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        old = self._filepath.with_suffix(".old")
        shutil.rmtree(old, ignore_errors=True)
        if self._filepath.exists():
            self._filepath.rename(old)
        os.replace(data.path, self._filepath)
        shutil.rmtree(old, ignore_errors=True)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return (self._filepath / "adapter.json").exists()


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

    def _describe(self) -> dict[str, Any]:
        return {}

    def _exists(self) -> bool:
        return True
