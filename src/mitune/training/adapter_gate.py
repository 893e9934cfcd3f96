"""One gate for saved adapters: every tensor of the file is a parameter of the network, and back.

diffusers loads what it finds a place for, and says nothing of the rest: an adapter of another
family is no adapter at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from mitune.weights import WeightsError, check_numbers

_SETTINGS = "lora_adapter_metadata"  # of diffusers
_FIX = "name the adapter of this model, or rerun the finetune stage that wrote it"
# Names in files of diffusers, of today and of its attention processors, in terms of peft.
_RENAMED = (
    (re.compile(r"\.processor\.(to_[qkv])_lora\."), r".\1.lora."),
    (re.compile(r"\.processor\.to_out_lora\."), ".to_out.0.lora."),
    (re.compile(r"\.lora_linear_layer\."), ".lora."),
    (re.compile(r"\.lora\.down\."), ".lora_A."),
    (re.compile(r"\.lora\.up\."), ".lora_B."),
    (re.compile(r"\.lora_magnitude_vector(\.weight)?$"), ".lora_magnitude_vector"),
)


def parts_of(file: Path) -> set[str]:
    """Parts of a pipeline that a file has settings for: what others wrote may say of none."""
    with safe_open(file, framework="pt") as opened:
        settings = json.loads((opened.metadata() or {}).get(_SETTINGS, "{}"))
    return {name.partition(".")[0] for name in settings}


def check_file(state: Mapping[str, Tensor], prefixes: Sequence[str], file: Path) -> None:
    """An adapter has tensors, all of the parts called `prefixes` and finite.

    Raises
    ------
    WeightsError
        Naming the first that is not.
    """
    if not state:
        raise WeightsError(f"{file}: no tensors; {_FIX}")
    for name in state:
        if name.partition(".")[0] not in prefixes:
            parts = " or ".join(prefixes)
            raise WeightsError(f"{file}: tensor {name} is not of the {parts}; {_FIX}")
    check_numbers(state.items(), file, _FIX)


def check_loaded(
    network: nn.Module,
    state: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    prefix: str,
    file: Path,
) -> None:
    """What a file says of a part is what the adapter on it is, tensor by tensor.

    Parameters
    ----------
    network
        The part, with the adapter on it.
    state
        Tensors of the file; those of other parts do not matter.
    own
        Parameters of the adapter, under peft's names.
    prefix
        What the part is called in files: `unet`, `transformer`, `text_encoder`.
    file
        What a message names.

    Raises
    ------
    WeightsError
        Naming the first tensor that has no place, or the first parameter that no tensor is for.
    """
    there = {_plain(name): tensor for name, tensor in own.items()}
    read = set()
    for name, tensor in state.items():
        if not name.startswith(f"{prefix}."):
            continue
        plain = _plain(name.removeprefix(f"{prefix}."))
        parameter = there.get(plain)
        if parameter is None:
            kind = type(network).__name__
            raise WeightsError(f"{file}: tensor {name} is no part of a {kind}; {_FIX}")
        if parameter.shape != tensor.shape or not torch.equal(
            tensor.to(parameter), parameter.detach()
        ):
            raise WeightsError(f"{file}: tensor {name} did not become a parameter; {_FIX}")
        read.add(plain)
    missing = sorted(there.keys() - read)
    if missing:
        raise WeightsError(f"{file}: tensor {prefix}.{missing[0]} is missing; {_FIX}")


def _plain(name: str) -> str:
    for old, new in _RENAMED:
        name = old.sub(new, name)
    return name
