"""Scores, one file each; the union is the registry. Nothing is loaded before it is asked for."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.metrics.aesthetic import Aesthetic
from mitune.metrics.base import MetricError, Scorer
from mitune.metrics.clip_score import ClipScore
from mitune.metrics.hps import HpsScore
from mitune.metrics.image_reward import ImageReward
from mitune.metrics.judge import JudgeScore
from mitune.metrics.pick_score import PickScore

__all__ = [
    "Aesthetic",
    "ClipScore",
    "HpsScore",
    "ImageReward",
    "JudgeScore",
    "MetricConfig",
    "MetricError",
    "PickScore",
    "Scorer",
]

MetricConfig: TypeAlias = Annotated[
    JudgeScore | ClipScore | HpsScore | PickScore | ImageReward | Aesthetic,
    Field(discriminator="kind"),
]
