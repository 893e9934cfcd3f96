"""What runs of a campaign leave for each other: finished work, by its keys, and work in progress.

Whoever resumes reads it, beside its inputs: a node that read its own output would be a cycle.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from mitune.datasets.shards import Shards, is_whole, manifest_of
from mitune.training.adapter_weights import FACTS, digest


class Workspace:
    """What is finished is known by its key, in whatever dataset of the campaign it lies.

    Attributes
    ----------
    scratch
        A folder for work in progress.
    """

    def __init__(
        self, scratch: Path, shard_folders: Sequence[Path] = (), adapter_folder: Path | None = None
    ) -> None:
        self.scratch = scratch
        self._shard_folders = shard_folders
        self._adapter_folder = adapter_folder

    def shards(self, keys: Mapping[str, str]) -> Shards:
        """Shards that were made under these keys, by name; of several the one with most rows.

        What is not as it was written counts as missing.
        """
        most: dict[str, tuple[int, Path]] = {}
        for folder in self._shard_folders:
            for file in sorted(folder.rglob("*.parquet")):
                manifest = manifest_of(file) if file.stem in keys else None
                if manifest and manifest.key == keys[file.stem] and is_whole(file):
                    most[file.stem] = max(
                        most.get(file.stem, (0, file)),
                        (manifest.rows, file),
                        key=lambda one: one[0],
                    )
        return Shards({name: file for name, (_, file) in most.items()})

    def copy_adapter(self, key: str, target: Path) -> bool:
        """Copy the adapter that was made under `key`, if there is a whole one, to `target`."""
        for file in sorted(self._adapter_folder.rglob(FACTS)) if self._adapter_folder else ():
            try:
                facts = json.loads(file.read_text())
                same = facts.get("key") == key and facts["digest"] == digest(file.parent)
            except (OSError, ValueError, KeyError):
                continue  # cut off while it was written: trained again
            if same:
                shutil.copytree(file.parent, target, dirs_exist_ok=True)
                return True
        return False


class WorkspaceDataset(AbstractDataset[Workspace, Workspace]):
    """Folders under `filepath`: those that hold datasets of shards, those of adapters, scratch."""

    def __init__(
        self,
        *,
        filepath: str,
        shards: Sequence[str],
        adapters: str,
        scratch: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._root = Path(filepath)
        self._shards, self._adapters, self._scratch = shards, adapters, scratch
        self.metadata = metadata

    def load(self) -> Workspace:
        """A view of what is there whenever it is asked."""
        scratch = self._root / self._scratch
        scratch.mkdir(parents=True, exist_ok=True)
        shards = [self._root / folder for folder in self._shards]
        return Workspace(scratch, shards, self._root / self._adapters)

    def save(self, data: Workspace) -> None:
        """What is finished is written under the name of its dataset."""
        raise DatasetError("nodes write to the datasets that they make, not to the workspace")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._root)}

    def _exists(self) -> bool:
        return True
