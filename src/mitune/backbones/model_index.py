"""What a model is made of: the `model_index.json` of a diffusers pipeline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffusers import DiffusionPipeline

from mitune.backbones.base import ModelError, ModelRef


def model_index(ref: ModelRef) -> dict[str, Any]:
    """Parts by name, and `_class_name`, from the folder or from the hub.

    Raises
    ------
    ModelError
        If it is missing, unreadable, or the hub cannot be reached.
    """
    if ref.from_hub:
        return _index_on_hub(ref)
    file = Path(ref.path) / "model_index.json"
    try:
        index = dict(json.loads(file.read_text()))
        index["_class_name"] = str(index["_class_name"])
    except FileNotFoundError:
        raise ModelError(
            f"{file}: not found; point `model` in globals.yml to a folder saved by diffusers (or "
            "to a hub id, with its revision), or restore the shipped one with "
            "`git checkout -- data/06_models`"
        ) from None
    except (ValueError, KeyError) as error:
        raise ModelError(f"{file}: not a diffusers model index ({error}); restore it") from None
    return index


def _index_on_hub(ref: ModelRef) -> dict[str, Any]:
    try:
        return dict(DiffusionPipeline.load_config(ref.path, revision=ref.revision))
    except Exception as error:  # offline, gated, misspelt: the hub's own first line says which
        raise ModelError(
            f"{ref.path}@{ref.revision}: cannot be read from the hub "
            f"({str(error).strip().splitlines()[0]}); check the name, the connection and "
            "`hf auth login`, or point `model` in globals.yml to a local folder"
        ) from error


def absent_parts(index: Mapping[str, Any]) -> dict[str, None]:
    """Parts that a model was saved without; diffusers must be told of them again."""
    return {name: None for name, value in index.items() if value == [None, None]}
