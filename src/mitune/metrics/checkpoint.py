"""Checkpoints as authors released them: one file of tensors, here or on the hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from huggingface_hub import hf_hub_download

from mitune.metrics.base import MetricError, Weights

Model = TypeVar("Model")


def released_file(weights: Weights, name: str) -> Path:
    """The file itself if `weights.path` is one, else `name` in that folder or hub repository."""
    if weights.from_hub:
        return Path(hf_hub_download(weights.path.as_posix(), name, revision=weights.revision))
    return weights.path / name if weights.path.is_dir() else weights.path


def tensors(file: Path) -> dict[str, torch.Tensor]:
    """Tensors by name, from the top level or from under `state_dict`; no code of it is run.

    Raises
    ------
    MetricError
        If the file is missing, truncated, or holds anything but tensors.
    """
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
        state = loaded.get("state_dict", loaded)
        return {name: value for name, value in state.items() if torch.is_tensor(value)}
    except Exception as error:  # torch raises half a dozen kinds for a damaged file
        raise MetricError(
            f"{file}: the checkpoint cannot be read ({type(error).__name__}); download it again, "
            "or correct metrics.*.path (a hub id needs a revision)"
        ) from None


def build(
    kind: type[Model],
    config: object,
    state: Mapping[str, torch.Tensor],
    dtype: torch.dtype,
    source: Path,
    **settings: Any,
) -> Model:
    """A transformers model of class `kind` with the tensors of `state` and nothing else.

    Raises
    ------
    MetricError
        If a tensor is missing or left over; it names `source`.
    """
    model, found = kind.from_pretrained(  # type: ignore[attr-defined]
        None,
        config=config,
        state_dict=dict(state),
        dtype=dtype,
        output_loading_info=True,
        **settings,
    )
    wrong = sorted(found["missing_keys"]) + sorted(found["unexpected_keys"])
    if wrong:
        raise MetricError(
            f"{source}: {len(wrong)} tensors of a {kind.__name__} are missing or left over, the "
            f"first is {wrong[0]}; download it again, or correct metrics.*.path"
        )
    return model


def count(state: Mapping[str, torch.Tensor], prefix: str) -> int:
    """Number of layers `prefix`0., `prefix`1., ..."""
    return len({name[len(prefix) :].split(".")[0] for name in state if name.startswith(prefix)})
