"""Pairs, with what an encoder of pictures and prompts makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from torch import Tensor
from typing_extensions import Self

from mitune.errors import UserError
from mitune.objectives.rows.base import Encode
from mitune.objectives.rows.pair import Pair
from mitune.objectives.rows.table import ExampleTable


@dataclass(frozen=True, eq=False)
class FeaturedPair(Pair):
    """A pair, and features (E, D) float32 of winner, loser and prompt, all in one space."""

    winner_features: Tensor
    loser_features: Tensor
    prompt_features: Tensor

    @classmethod
    def read(cls, table: pd.DataFrame, latents: Tensor, encode: Encode) -> Self:
        """As `Pair.read`; `image_features` and `prompt_features` are vectors as float32 bytes."""
        pair = Pair.read(table, latents, encode)
        examples = ExampleTable(table, cls.roles)
        pictures, prompts = examples.vectors("image_features"), examples.vectors("prompt_features")
        differing = (prompts["winner"] != prompts["loser"]).any(1)
        examples.refuse(differing, "its lines differ in prompt_features; give them the same")
        widths = pictures["winner"].shape[1], prompts["winner"].shape[1]
        if widths[0] != widths[1]:
            raise UserError(
                f"the fine-tuning set has image_features of {widths[0]} numbers, prompt_features "
                f"of {widths[1]}; take both from one encoder"
            )
        return cls(
            pair.winner,
            pair.loser,
            pair.captions,
            pair.weights,
            pictures["winner"],
            pictures["loser"],
            prompts["winner"],
        )
