"""Scores, one file each; the union is the registry. Nothing is loaded before it is asked for."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.metrics.base import MetricError, Scorer
from mitune.metrics.blip_vqa import BlipVqa
from mitune.metrics.clip_score import ClipScore
from mitune.metrics.judge import JudgeScore

__all__ = ["BlipVqa", "ClipScore", "JudgeScore", "MetricConfig", "MetricError", "Scorer"]

MetricConfig: TypeAlias = Annotated[JudgeScore | ClipScore | BlipVqa, Field(discriminator="kind")]
