"""What the scorer study varies."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Replay(BaseModel):
    """Windows of log-SNR and numbers of increments, all replayed from one set of candidates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    windows: tuple[tuple[float, float], ...]
    increments: tuple[int, ...]
