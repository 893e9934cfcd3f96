"""Fine-tuning losses, one file each; the union is the registry, one line per method."""

from typing import TypeAlias

from mitune.objectives.base import Objective, Single
from mitune.objectives.sft import SFT

__all__ = ["SFT", "Objective", "ObjectiveConfig", "Single"]

ObjectiveConfig: TypeAlias = SFT
