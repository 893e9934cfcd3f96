"""Scores, one file each; the union is the registry. Nothing is loaded before it is asked for."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.metrics.aesthetic import Aesthetic
from mitune.metrics.base import MetricError, Scorer
from mitune.metrics.blip_vqa import BlipVqa
from mitune.metrics.clip_score import ClipScore
from mitune.metrics.hps import HpsScore
from mitune.metrics.image_reward import ImageReward
from mitune.metrics.judge import JudgeScore
from mitune.metrics.numeracy import Numeracy
from mitune.metrics.pick_score import PickScore
from mitune.metrics.spatial_2d import Spatial2D
from mitune.metrics.spatial_3d import Spatial3D
from mitune.metrics.three_in_one import ThreeInOne

__all__ = [
    "Aesthetic",
    "BlipVqa",
    "ClipScore",
    "HpsScore",
    "ImageReward",
    "JudgeScore",
    "MetricConfig",
    "MetricError",
    "Numeracy",
    "PickScore",
    "Scorer",
    "Spatial2D",
    "Spatial3D",
    "ThreeInOne",
]

MetricConfig: TypeAlias = Annotated[
    JudgeScore
    | ClipScore
    | BlipVqa
    | HpsScore
    | PickScore
    | ImageReward
    | Aesthetic
    | Spatial2D
    | Spatial3D
    | Numeracy
    | ThreeInOne,
    Field(discriminator="kind"),
]
