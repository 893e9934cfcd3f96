"""Two pictures of one prompt, one preferred to the other."""

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
class Pair(Rows):
    """Latents (E, C, h, w) of `winner` and `loser`, the prompt of both, `weights` (E,)."""

    roles: ClassVar[tuple[str, ...]] = ("winner", "loser")

    winner: Tensor
    loser: Tensor
    captions: Captions
    weights: Tensor

    @classmethod
    def read(cls, table: pd.DataFrame, latents: Tensor, encode: Encode) -> Self:
        """As `Rows.read`; a pair of equal pictures is refused, since it prefers nothing."""
        examples = ExampleTable(table, cls.roles)
        parts = examples.latents(latents)
        winner, loser = parts["winner"], parts["loser"]
        same = (winner == loser).flatten(1).all(1)
        examples.refuse(same, "winner and loser are the same picture; drop it")
        return cls(winner, loser, examples.one_caption(encode), examples.weights())

    @property
    def latent_shape(self) -> torch.Size:
        """(C, h, w)."""
        return self.winner.shape[1:]

    def without_captions(self, which: Tensor) -> Self:
        """As `Rows.without_captions`."""
        return replace(self, captions=self.captions.dropped(which))
