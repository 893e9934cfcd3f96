"""Nested parameters as dotted names."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def flat(name: str, value: Any) -> dict[str, Any]:
    """`{"params:finetune.optimisation.steps": 160, ...}`; lists are values."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if not isinstance(value, dict):
        return {name: value}
    flattened: dict[str, Any] = {}
    for key, inner in value.items():
        flattened |= flat(f"{name}.{key}" if name else str(key), inner)
    return flattened
