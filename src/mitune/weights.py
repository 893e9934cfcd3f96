"""One gate for the weights of networks: all tensors that a network has, finite, and no others.

Libraries fill what a file lacks with random numbers, pass over what it has too much, and say so on
a level of their log that nobody reads.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from mitune.errors import UserError

Network = TypeVar("Network", bound=nn.Module)
# A constant that old files keep as if it were a weight.
_CONSTANT = "position_ids"


class WeightsError(UserError):
    """A file of weights is not the network's; the message names the file and the tensor."""


def read_network(
    kind: type[Network], where: str | Path | None, source: str | Path, fix: str, **settings: Any
) -> Network:
    """`kind.from_pretrained(where, **settings)` of diffusers or transformers, whole or not at all.

    Parameters
    ----------
    kind
        A class of diffusers or transformers.
    where
        A folder or hub id; None if `settings` bring a `state_dict`.
    source
        What a message names; of a folder with one file of weights, that file.
    fix
        What to do about it.
    **settings
        For `from_pretrained`.

    Raises
    ------
    WeightsError
        Naming the first tensor that is missing, left over, of another shape or not finite.
    """
    network, info = kind.from_pretrained(  # type: ignore[attr-defined]
        where, output_loading_info=True, **settings
    )
    file = _file(Path(source))
    mismatched = info["mismatched_keys"]
    shapes = [found[0] if isinstance(found, tuple) else found for found in mismatched]
    _refuse(info["missing_keys"], "missing", file, fix)
    _refuse(info["unexpected_keys"], f"no part of a {kind.__name__}", file, fix)
    _refuse(shapes, "of another shape", file, fix)
    check_finite(network, file, fix)
    return network


def read_tokenizer(
    kind: Any, where: str | Path, source: str | Path, fix: str, **settings: Any
) -> Any:
    """`kind.from_pretrained(where, **settings)` of transformers. Raises as `check_words`."""
    tokenizer = kind.from_pretrained(where, **settings)
    check_words(tokenizer, source, fix)
    return tokenizer


def check_words(tokenizer: Any, source: str | Path, fix: str) -> None:
    """A tokenizer has words: without its vocabulary transformers makes one that has none.

    Raises
    ------
    WeightsError
        Naming `source`.
    """
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):
        raise WeightsError(
            f"{source}: the tokenizer knows no word; its vocabulary (tokenizer.json, vocab.json or "
            f"vocab.txt) is missing; {fix}"
        )


def fill(network: nn.Module, state: Mapping[str, Tensor], source: str | Path, fix: str) -> None:
    """Put the tensors of `state` into `network`. Raises WeightsError as `read_network`."""
    own = network.state_dict()
    _refuse(own.keys() - state.keys(), "missing", source, fix)
    _refuse(state.keys() - own.keys(), f"no part of a {type(network).__name__}", source, fix)
    shapes = [name for name, tensor in own.items() if tensor.shape != state[name].shape]
    _refuse(shapes, "of another shape", source, fix)
    network.load_state_dict(state)
    check_finite(network, source, fix)


def check_finite(network: nn.Module, source: str | Path, fix: str) -> None:
    """All weights are numbers. Raises WeightsError, naming the first that is none."""
    check_numbers(network.state_dict().items(), source, fix)


def check_numbers(named: Iterable[tuple[str, Tensor]], source: str | Path, fix: str) -> None:
    """As `check_finite`, of tensors by name."""
    bad = [n for n, t in named if t.is_floating_point() and not bool(torch.isfinite(t).all())]
    _refuse(bad, "not finite", source, fix)


def _refuse(names: Collection[str], what: str, source: str | Path, fix: str) -> None:
    wrong = sorted(name for name in names if not name.endswith(_CONSTANT))
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise WeightsError(f"{source}: tensor {wrong[0]} is {what}{more}; {fix}")


def _file(source: Path) -> Path:
    files = sorted(source.glob("*.safetensors")) if source.is_dir() else []
    return files[0] if len(files) == 1 else source
