"""Prompts that a metric does not read to their end: it says so, once for each."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


def warn_of_cut(tokenizer: Any, prompts: Collection[str], limit: int, source: Path) -> None:
    """Prompts that differ beyond `limit` tokens get the same number; `source` is whose limit.

    Encoders cut them off, as in the papers, and so do we: who compares scores must know it.
    """
    texts = sorted(prompts)
    lengths = [len(ids) for ids in tokenizer(texts).input_ids] if texts else []
    cut = [text for text, length in zip(texts, lengths, strict=True) if length > limit]
    if cut:
        logger.warning(
            "%s: reads %d tokens; of %d prompts it does not read the end, the first is %r",
            source,
            limit,
            len(cut),
            cut[0],
        )
