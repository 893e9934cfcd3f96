"""Embedders of pictures, one file each; the union is the registry."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.metrics.embedders.base import Embedder
from mitune.metrics.embedders.clip import ClipImage
from mitune.metrics.embedders.dino import Dino
from mitune.metrics.embedders.inception import Inception

__all__ = ["ClipImage", "Dino", "Embedder", "EmbedderConfig", "Inception"]

EmbedderConfig: TypeAlias = Annotated[Inception | Dino | ClipImage, Field(discriminator="kind")]
