"""Networks that find named things in pictures; the union is the registry."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.metrics.detectors.base import Detector
from mitune.metrics.detectors.miniature import MiniatureDetector
from mitune.metrics.detectors.owlv2 import Owlv2

__all__ = ["Detector", "DetectorConfig", "MiniatureDetector", "Owlv2"]

DetectorConfig: TypeAlias = Annotated[Owlv2 | MiniatureDetector, Field(discriminator="kind")]
