"""Read and check prompts before any model is loaded."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mitune.backbones import ModelRef
from mitune.backbones.tokens import overlong
from mitune.pipelines.prompts.parameters import Prompts
from mitune.prompt_sources import PromptError
from mitune.prompts import read_splits


def ingest(
    path: Path, model: ModelRef, settings: Prompts
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Train, tuning and evaluation prompts as tables."""
    tables = read_splits(
        settings.source, path, settings.categories, settings.per_category, settings.seed
    )
    _check_length(pd.concat(tables.values()), model)
    return tables["train"], tables["tuning"], tables[settings.evaluate_on]


def _check_length(every: pd.DataFrame, model: ModelRef) -> None:
    for text, tokens, limit in overlong(model, every["prompt"].tolist())[:1]:
        row = every[every["prompt"] == text].iloc[0]
        raise PromptError(
            f"{row.file}:{row.line}: {tokens} tokens, the text encoder of {model.path} reads "
            f"{limit}; shorten the prompt"
        )
