"""What the scorer study varies."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from mitune.candidates import Generation


class Study(BaseModel):
    """Windows of log-SNR and numbers of draws, all replayed from one set of increments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generate: Generation
    windows: tuple[tuple[float, float], ...]
    draws: tuple[int, ...]
