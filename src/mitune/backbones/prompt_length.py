"""Whether a model reads a prompt to its end: asked of its tokenizers alone, before any weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import snapshot_download
from transformers import AutoTokenizer

from mitune.backbones.base import ModelError, ModelRef
from mitune.backbones.model_index import model_index
from mitune.backbones.tokens import overlong

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
    found = overlong(ref, prompts)
    if not found or not model_index(ref).get("text_encoder_3", [None])[0]:
        return found
    limit = ref.max_sequence_length or _T5_TOKENS
    texts = [prompt for prompt, *_ in found]
    lengths = [len(ids) for ids in _t5_tokenizer(ref)(texts).input_ids]
    return [(p, n, limit) for p, n in zip(texts, lengths, strict=True) if n > limit]


def _t5_tokenizer(ref: ModelRef) -> AutoTokenizer:
    try:
        folder = Path(ref.path)
        if ref.from_hub:
            part = ["tokenizer_3/*"]
            folder = Path(snapshot_download(ref.path, revision=ref.revision, allow_patterns=part))
        return AutoTokenizer.from_pretrained(folder / "tokenizer_3")
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"{ref.path}/tokenizer_3: the tokenizer cannot be read ({reason}); restore or download "
            "the folder again"
        ) from None
