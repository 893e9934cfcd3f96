"""How the fine-tuning set is chosen."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from mitune.composition import Composition


class Compose(BaseModel):
    """One way to choose."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    selection: Composition
