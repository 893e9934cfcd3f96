"""Whether prompts fit a model's text encoder: asked of its tokenizer alone, before any weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from transformers import AutoTokenizer

from mitune.backbones.base import ModelError, ModelRef


def overlong(ref: ModelRef, prompts: Sequence[str]) -> list[tuple[str, int, int]]:
    """(prompt, its tokens, the most that fit) of prompts that the text encoder would cut off.

    Raises
    ------
    ModelError
        If the tokenizer is missing or broken.
    """
    folder = Path(ref.path) / "tokenizer"
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, json.JSONDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{folder}: the tokenizer cannot be read ({reason}); restore it") from None
    limit = tokenizer.model_max_length
    lengths = [len(ids) for ids in tokenizer(list(prompts)).input_ids] if prompts else []
    return [(p, n, limit) for p, n in zip(prompts, lengths, strict=True) if n > limit]
