"""What the scorer study varies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from mitune.racing import Bound, Rule, Share

_Fraction = Annotated[float, Field(gt=0, lt=1)]


class Replay(BaseModel):
    """Windows of log-SNR and numbers of increments, all replayed from one set of candidates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    windows: tuple[tuple[float, float], ...]
    increments: tuple[int, ...]


class Races(BaseModel):
    """Races between candidates, replayed from the same set: every bound and every share.

    `rungs`: how many times those who cannot win are sent away. `winners`: how many are wanted, the
    `k` of `compose.selection`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    errors: tuple[_Fraction, ...] = (0.5, 0.3, 0.1, 0.05, 0.01)
    shares: tuple[_Fraction, ...] = (0.75, 0.5, 0.25)
    rungs: PositiveInt = 3
    winners: PositiveInt = 1

    @property
    def rules(self) -> Iterator[Rule]:
        """All of them."""
        yield from map(Bound, self.errors)
        yield from map(Share, self.shares)
