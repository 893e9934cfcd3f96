"""Seeds that depend on what they are for: not on order, batch size or where a run was resumed."""

from __future__ import annotations

import hashlib
from typing import Annotated, TypeAlias

import numpy as np
from pydantic import Field

Seed: TypeAlias = Annotated[int, Field(ge=0, lt=2**63)]
"""What torch's generators take."""


def image_seed(*parts: object) -> int:
    """A 63-bit seed of the names given, and of nothing else."""
    name = ":".join(str(part) for part in parts)
    return int(np.frombuffer(hashlib.sha256(name.encode()).digest()[:8], "<u8")[0] >> 1)
