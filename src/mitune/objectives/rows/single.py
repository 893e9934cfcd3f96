"""One picture per example."""

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
class Single(Rows):
    """Clean `latents` (E, C, h, w), their prompts and `weights` (E,): the rows of SFT and GORS."""

    roles: ClassVar[tuple[str, ...]] = ("image",)

    latents: Tensor
    captions: Captions
    weights: Tensor

    @classmethod
    def read(cls, table: pd.DataFrame, latents: Tensor, encode: Encode) -> Self:
        """As `Rows.read`; without a column `example` each line is one."""
        examples = ExampleTable(table, cls.roles)
        parts = examples.latents(latents)
        return cls(parts["image"], examples.one_caption(encode), examples.weights())

    @property
    def latent_shape(self) -> torch.Size:
        """(C, h, w)."""
        return self.latents.shape[1:]

    def without_captions(self, which: Tensor) -> Self:
        """As `Rows.without_captions`."""
        return replace(self, captions=self.captions.dropped(which))
