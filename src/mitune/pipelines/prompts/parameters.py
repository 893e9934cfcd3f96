"""Which prompts to read."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt


class Prompts(BaseModel):
    """Categories name the files `{category}_{split}.txt`; 0 per category takes all of a file.

    `evaluate_on`: models are compared on `test` prompts; choose settings on `tuning`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    categories: tuple[str, ...] = Field(min_length=1)
    train_per_category: NonNegativeInt = 0
    tuning_per_category: NonNegativeInt = 0
    test_per_category: NonNegativeInt = 0
    evaluate_on: Literal["test", "tuning"] = "test"
    seed: NonNegativeInt = 0
