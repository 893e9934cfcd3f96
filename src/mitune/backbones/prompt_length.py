"""Whether a model reads a prompt to its end: asked of its tokenizers alone, before any weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import huggingface_hub

from mitune import libraries
from mitune.backbones.base import ModelError
from mitune.backbones.model_index import model_index
from mitune.errors import UserError
from mitune.references import ModelRef
from mitune.weights import read_tokenizer

_T5_TOKENS = 256  # what diffusers' Stable Diffusion 3 gives T5 unless told otherwise


def unread(ref: ModelRef, prompts: Sequence[str]) -> list[tuple[str, int, int]]:
    """(prompt, its tokens, the most that fit) of prompts that no text encoder reads to the end.

    Encoders cut off what is beyond them. Stable Diffusion 3 with T5 reads on where its CLIP
    encoders stop, to `ref.max_sequence_length` tokens of T5, or 256.

    Raises
    ------
    ModelError
        If a tokenizer is missing or broken.
    """
    clip = _tokenizer(ref, "tokenizer")
    overlong = _overlong(clip, prompts, clip.model_max_length)
    if not overlong or not model_index(ref).get("text_encoder_3", [None])[0]:
        return overlong
    cut = [prompt for prompt, *_ in overlong]
    return _overlong(_tokenizer(ref, "tokenizer_3"), cut, ref.max_sequence_length or _T5_TOKENS)


def as_read(ref: ModelRef, prompts: Sequence[str]) -> list[tuple[tuple[int, ...], ...]]:
    """What the text encoders get of each prompt: equal for those that the model cannot tell apart.

    Token ids of every tokenizer in turn, cut off where its encoder stops. Raises ModelError.
    """
    index = model_index(ref)
    every = []
    for part in ("tokenizer", "tokenizer_2", "tokenizer_3"):
        if index.get(part, [None])[0]:
            tokenizer = _tokenizer(ref, part)
            t5 = part == "tokenizer_3"
            limit = ref.max_sequence_length or _T5_TOKENS if t5 else tokenizer.model_max_length
            cut = {"truncation": True, "max_length": limit}
            every.append([tuple(ids) for ids in tokenizer(list(prompts), **cut).input_ids])
    return list(zip(*every, strict=True))


def _overlong(tokenizer: Any, prompts: Sequence[str], limit: int) -> list[tuple[str, int, int]]:
    lengths = [len(ids) for ids in tokenizer(list(prompts)).input_ids] if prompts else []
    return [(p, n, limit) for p, n in zip(prompts, lengths, strict=True) if n > limit]


@lru_cache(maxsize=3)
def _tokenizer(ref: ModelRef, part: str) -> Any:
    """Read once: prompts are asked about category by category."""
    try:
        folder = Path(ref.path)
        if ref.from_hub:
            # By way of a folder: read from the hub by name, files that no tokenizer has are asked
            # for too, and without a connection their absence is an error.
            wanted = [f"{part}/*"]
            download = huggingface_hub.snapshot_download
            folder = Path(download(ref.path, revision=ref.revision, allow_patterns=wanted))
        kind = libraries.transformers.AutoTokenizer
        return read_tokenizer(kind, folder / part, f"{ref.path}/{part}", "restore it")
    except UserError:
        raise
    except (OSError, ValueError) as error:  # JSONDecodeError is a ValueError
        reason = str(error).splitlines()[0]
        fix = "check the name and the connection" if ref.from_hub else "restore it"
        raise ModelError(
            f"{ref.path}/{part}: the tokenizer cannot be read ({reason}); {fix}"
        ) from None
