"""One picture per example, liked or disliked."""

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
class Labelled(Rows):
    """Latents (E, C, h, w), prompts, whether each is `liked` (E,) bool, `weights` (E,)."""

    roles: ClassVar[tuple[str, ...]] = ("image",)

    latents: Tensor
    captions: Captions
    liked: Tensor
    weights: Tensor

    @classmethod
    def read(cls, table: pd.DataFrame, latents: Tensor, encode: Encode) -> Self:
        """As `Rows.read`; `label` is 1 (liked) or 0 (disliked)."""
        examples = ExampleTable(table, cls.roles)
        parts = examples.latents(latents)
        given = pd.to_numeric(examples.column("label"), errors="coerce").to_numpy("float64")
        labels = examples.of("image", torch.tensor(given))
        unknown = (labels != 0) & (labels != 1)
        examples.refuse(unknown, "its label is neither 1 (liked) nor 0 (disliked); correct it")
        return cls(parts["image"], examples.one_caption(encode), labels == 1, examples.weights())

    @property
    def latent_shape(self) -> torch.Size:
        """(C, h, w)."""
        return self.latents.shape[1:]

    def without_captions(self, which: Tensor) -> Self:
        """As `Rows.without_captions`."""
        return replace(self, captions=self.captions.dropped(which))
