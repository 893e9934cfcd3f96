"""Distances between two sets of pictures, one file each; the union is the registry."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.metrics.distances.base import Distance
from mitune.metrics.distances.cmmd import CMMD
from mitune.metrics.distances.frechet import Frechet
from mitune.metrics.distances.kid import KID

__all__ = ["CMMD", "KID", "Distance", "DistanceConfig", "Frechet"]

DistanceConfig: TypeAlias = Annotated[Frechet | CMMD | KID, Field(discriminator="kind")]
