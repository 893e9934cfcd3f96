"""A picture with its prompt, and a wrong one: another picture, or another prompt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import pandas as pd
import torch
from torch import Tensor
from typing_extensions import Self

from mitune.objectives.rows.base import Captions, Encode, Rows
from mitune.objectives.rows.table import ExampleTable


@dataclass(frozen=True, eq=False)
class Negatives(Rows):
    """Latents (E, C, h, w) and prompts of `positive` and `negative`, `weights` (E,).

    A negative picture has the prompt of its positive, a negative prompt its picture.
    """

    roles: ClassVar[tuple[str, ...]] = ("positive", "negative")

    positive: Tensor
    negative: Tensor
    captions: Captions
    negative_captions: Captions
    weights: Tensor

    @classmethod
    def read(cls, table: pd.DataFrame, latents: Tensor, encode: Encode) -> Self:
        """As `Rows.read`."""
        examples = ExampleTable(table, cls.roles)
        parts, captions = examples.latents(latents), examples.captions(encode)
        return cls(
            parts["positive"],
            parts["negative"],
            captions["positive"],
            captions["negative"],
            examples.weights(),
        )

    @property
    def latent_shape(self) -> torch.Size:
        """(C, h, w)."""
        return self.positive.shape[1:]

    def without_captions(self, which: Tensor) -> Self:
        """As `Rows.without_captions`, for both of an example."""
        return replace(
            self,
            captions=self.captions.dropped(which),
            negative_captions=self.negative_captions.dropped(which),
        )
