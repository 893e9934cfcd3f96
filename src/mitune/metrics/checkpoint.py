"""Checkpoints as authors released them: one file of tensors, here or on the hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from huggingface_hub import hf_hub_download

from mitune.metrics.base import Weights, reading
from mitune.metrics.remedy import remedy
from mitune.weights import check_numbers, read_network

Model = TypeVar("Model", bound=torch.nn.Module)


def released_file(weights: Weights, name: str) -> Path:
    """The file itself if `weights.path` is one, else `name` in that folder or hub repository.

    Raises
    ------
    MetricError
        If the hub does not give it.
    """
    path, revision = weights.path, weights.revision
    if weights.from_hub:
        with reading(name, path, revision, name):
            return Path(hf_hub_download(path.as_posix(), name, revision=revision))
    return path / name if path.is_dir() else path


def tensors(file: Path) -> dict[str, torch.Tensor]:
    """Tensors by name, from the top level or from under `state_dict`; no code of it is run.

    Raises
    ------
    MetricError
        If the file is missing, truncated, or holds anything but tensors.
    WeightsError
        If a tensor is not finite.
    """
    with reading("the checkpoint", file):
        loaded = torch.load(file, map_location="cpu", weights_only=True)
        state = loaded.get("state_dict", loaded)
        found = {name: value for name, value in state.items() if torch.is_tensor(value)}
    check_numbers(found.items(), file, remedy(file))
    return found


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
    WeightsError
        If a tensor is missing, left over or not finite; it names `source`.
    """
    given = {"config": config, "state_dict": dict(state), "dtype": dtype, **settings}
    return read_network(kind, None, source, remedy(source), **given)


def count(state: Mapping[str, torch.Tensor], prefix: str) -> int:
    """Number of layers `prefix`0., `prefix`1., ..."""
    return len({name[len(prefix) :].split(".")[0] for name in state if name.startswith(prefix)})
