"""What methods with a scale of their own have in common: two branches a step, and another scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict
from typing_extensions import Self

if TYPE_CHECKING:
    from mitune.language import ParserName


class Scaled(BaseModel):
    """Settings with a guidance scale w: eps_u + w (...), on both branches of every step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: float = 7.5

    @property
    def parsers(self) -> dict[str, ParserName]:
        """It reads no prompt."""
        return {}

    def evaluations(self, steps: int) -> float:
        """Two branches a step."""
        return 2 * steps

    def at_scale(self, scale: float) -> Self:
        """With another w."""
        return self.model_copy(update={"scale": scale})
