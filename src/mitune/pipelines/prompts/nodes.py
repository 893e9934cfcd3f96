"""Read and check prompts before any model is loaded."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mitune.backbones import ModelRef
from mitune.backbones.tokens import overlong
from mitune.pipelines.prompts.parameters import Prompts
from mitune.prompts import PromptError, read_split


def ingest(
    folder: Path, model: ModelRef, settings: Prompts
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Train, tuning and evaluation prompts as tables; the three files must not share a prompt."""
    tables = [
        read_split(folder, settings.categories, split, count, settings.seed)
        for split, count in (
            ("train", settings.train_per_category),
            ("tuning", settings.tuning_per_category),
            ("test", settings.test_per_category),
        )
    ]
    every = pd.concat(tables)
    _check_disjoint(every)
    _check_length(every, model)
    train, tuning, test = tables
    return train, tuning, tuning if settings.evaluate_on == "tuning" else test


def _check_disjoint(every: pd.DataFrame) -> None:
    shared = every[every.duplicated("prompt_id")]
    if len(shared):
        row = shared.iloc[0]
        raise PromptError(
            f"{row.file}:{row.line}: {row.prompt!r} is also a prompt of another split; remove it"
        )


def _check_length(every: pd.DataFrame, model: ModelRef) -> None:
    for text, tokens, limit in overlong(model, every["prompt"].tolist())[:1]:
        row = every[every["prompt"] == text].iloc[0]
        raise PromptError(
            f"{row.file}:{row.line}: {tokens} tokens, the text encoder of {model.path} reads "
            f"{limit}; shorten the prompt"
        )
