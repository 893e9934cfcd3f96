"""Read and check prompts before any model is loaded."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mitune.backbones import ModelRef
from mitune.backbones.prompt_length import as_read, unread
from mitune.pipelines.prompts.parameters import Prompts
from mitune.prompt_sources import PromptError
from mitune.prompts import read_splits

logger = logging.getLogger(__name__)


def ingest(
    path: Path, model: ModelRef, settings: Prompts
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Train, tuning and evaluation prompts as tables."""
    dropped: set[str] = set()

    def fits(texts: Sequence[str]) -> list[bool]:
        overlong = {text for text, *_ in unread(model, texts)}
        dropped.update(overlong)
        return [text not in overlong for text in texts]

    source, wanted = settings.source, settings.per_category
    drop = fits if settings.overlong == "drop" else None
    tables = read_splits(
        source,
        path,
        settings.categories,
        wanted,
        settings.seed,
        drop,
        lambda texts: as_read(model, texts),
    )
    if dropped:
        logger.warning("prompts: dropped %d that the text encoder would cut off", len(dropped))
    if not drop:
        _check_length(pd.concat(tables.values()), model, settings)
    return tables["train"], tables["tuning"], tables[settings.evaluate_on]


def _check_length(every: pd.DataFrame, model: ModelRef, settings: Prompts) -> None:
    overlong = unread(model, every["prompt"].tolist())
    if overlong and settings.overlong == "truncate":
        logger.warning("prompts: the text encoder cuts off %d of %d", len(overlong), len(every))
        return
    for text, tokens, limit in overlong[:1]:
        row = every[every["prompt"] == text].iloc[0]
        raise PromptError(
            f"{row.file}:{row.line}: {tokens} tokens, the text encoder of {model.path} reads "
            f"{limit}; shorten the prompt, or set prompts.overlong to drop or truncate"
        )
