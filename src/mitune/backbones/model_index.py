"""What a model is made of: the `model_index.json` of a diffusers pipeline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mitune import libraries
from mitune.backbones.base import ModelError
from mitune.references import ModelRef


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
        return dict(
            libraries.diffusers.DiffusionPipeline.load_config(ref.path, revision=ref.revision)
        )
    except Exception as error:  # offline, gated, misspelt: the hub's own first line says which
        raise ModelError(
            f"{ref.path}@{ref.revision}: cannot be read from the hub "
            f"({str(error).strip().splitlines()[0]}); check the name, the connection and "
            "`hf auth login`, or point `model` in globals.yml to a local folder"
        ) from error


def check_two_branches(ref: ModelRef, index: Mapping[str, Any]) -> None:
    """A network must predict with and without a prompt: MI is the difference of the two.

    Distilling guidance into a network leaves one branch, which takes the scale as an input: LCM's
    UNets (`time_cond_proj_dim`), FLUX.1 dev (`guidance_embeds`). Other distillation leaves no mark.

    Raises
    ------
    ModelError
        Naming the setting that tells.
    """
    for part in ("unet", "transformer"):
        if not index.get(part, [None])[0]:
            continue
        config = _part_config(ref, part)
        for mark in ("time_cond_proj_dim", "guidance_embeds"):
            if config.get(mark):
                raise ModelError(
                    f"{ref.path}/{part}/config.json: {mark} is {config[mark]}: guidance was "
                    "distilled into this network, so it has no unconditional prediction and MI "
                    "nothing to compare with; use the model that it was distilled from"
                )


def _part_config(ref: ModelRef, part: str) -> dict[str, Any]:
    try:
        if ref.from_hub:
            network = libraries.diffusers.UNet2DConditionModel
            return dict(network.load_config(ref.path, subfolder=part, revision=ref.revision))
        return dict(json.loads((Path(ref.path) / part / "config.json").read_text()))
    except Exception as error:  # whatever broke, say where
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"{ref.path}/{part}/config.json: cannot be read ({reason}); restore or download the "
            "folder again"
        ) from error


def absent_parts(index: Mapping[str, Any]) -> dict[str, None]:
    """Parts that a model was saved without; diffusers must be told of them again."""
    return {name: None for name, value in index.items() if value == [None, None]}
