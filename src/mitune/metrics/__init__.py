"""Scores, one file each; the union is the registry. Nothing is loaded before it is asked for."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.metrics.base import MetricError, Scorer
from mitune.metrics.clip_score import ClipScore
from mitune.metrics.judge import JudgeScore
from mitune.metrics.numeracy import Numeracy
from mitune.metrics.spatial_2d import Spatial2D
from mitune.metrics.spatial_3d import Spatial3D

__all__ = [
    "ClipScore",
    "JudgeScore",
    "MetricConfig",
    "MetricError",
    "Numeracy",
    "Scorer",
    "Spatial2D",
    "Spatial3D",
]

MetricConfig: TypeAlias = Annotated[
    JudgeScore | ClipScore | Spatial2D | Spatial3D | Numeracy,
    Field(discriminator="kind"),
]
