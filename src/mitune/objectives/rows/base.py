"""What rows of every kind share: one entry per example in each field, prompts encoded once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import ClassVar, TypeAlias

import pandas as pd
import torch
from torch import Tensor
from typing_extensions import Self

from mitune.diffusion.denoiser import Condition

Encode: TypeAlias = Callable[[Sequence[str]], Condition]


@dataclass(frozen=True, eq=False)
class Captions:
    """Prompts of E examples, each encoded once: `encoded` (P, ...), and the examples' (E,) numbers.

    The last row of `encoded` is the empty prompt if they were read from a table.
    """

    encoded: Condition
    numbers: Tensor

    def __getitem__(self, examples: Tensor) -> Captions:
        return Captions(self.encoded, self.numbers[examples])

    def __len__(self) -> int:
        return len(self.numbers)

    def to(self, device: torch.device) -> Captions:
        """Numbers on `device`; the encoded prompts stay where they are."""
        return Captions(self.encoded, self.numbers.to(device))

    def dropped(self, which: Tensor) -> Captions:
        """The empty prompt instead of those that `which` (E,) marks: caption dropout."""
        return Captions(self.encoded, torch.where(which, len(self.encoded) - 1, self.numbers))

    @property
    def condition(self) -> Condition:
        """(E, ...), one row per example."""
        return self.encoded[self.numbers]


@dataclass(frozen=True, eq=False)
class PerExample:
    """A record whose fields all have one entry per example, first."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def __getitem__(self, examples: Tensor) -> Self:
        """The chosen examples, with everything that belongs to them."""
        return replace(self, **{f.name: getattr(self, f.name)[examples] for f in fields(self)})

    def to(self, device: torch.device) -> Self:
        """On `device`."""
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})


@dataclass(frozen=True, eq=False)
class Rows(PerExample, ABC):
    """Examples of one kind. `roles`: the pictures that an example is made of, by name."""

    roles: ClassVar[tuple[str, ...]]

    @classmethod
    @abstractmethod
    def read(cls, table: pd.DataFrame, latents: Tensor, encode: Encode) -> Self:
        """Examples of a long table: one line per picture.

        Columns `example`, `role` and `prompt`, and by kind `label` and `weight`; `latents`
        (N, C, h, w) belong to its N lines. `encode` makes a condition of texts.

        Raises
        ------
        UserError
            Naming the example and the fix.
        """

    @property
    @abstractmethod
    def latent_shape(self) -> torch.Size:
        """The shape of one latent."""

    @abstractmethod
    def without_captions(self, which: Tensor) -> Self:
        """The empty prompt instead of those that `which` (E,) marks."""
