"""Whether prompts fit a model's text encoder: asked of its tokenizer alone, before any weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import snapshot_download
from transformers import AutoTokenizer

from mitune.backbones.base import ModelError, ModelRef


def overlong(ref: ModelRef, prompts: Sequence[str]) -> list[tuple[str, int, int]]:
    """(prompt, its tokens, the most that fit) of prompts that the text encoder would cut off.

    Raises
    ------
    ModelError
        If the tokenizer is missing or broken.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(_folder(ref) / "tokenizer")
    except (OSError, ValueError, json.JSONDecodeError) as error:
        reason = str(error).splitlines()[0]
        fix = "check the name and the connection" if ref.from_hub else "restore it"
        raise ModelError(
            f"{ref.path}/tokenizer: the tokenizer cannot be read ({reason}); {fix}"
        ) from None
    limit = tokenizer.model_max_length
    lengths = [len(ids) for ids in tokenizer(list(prompts)).input_ids] if prompts else []
    return [(p, n, limit) for p, n in zip(prompts, lengths, strict=True) if n > limit]


def _folder(ref: ModelRef) -> Path:
    if not ref.from_hub:
        return Path(ref.path)
    # By way of a folder: read from the hub by name, files that no tokenizer has are asked for too,
    # and without a connection their absence is an error.
    return Path(snapshot_download(ref.path, revision=ref.revision, allow_patterns=["tokenizer/*"]))
