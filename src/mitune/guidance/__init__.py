"""Inference-time methods, one file each; the union is the registry, one line per method."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.guidance.base import Guidance
from mitune.guidance.classifier_free import ClassifierFree

GuidanceConfig: TypeAlias = Annotated[
    ClassifierFree,
    Field(discriminator="kind"),
]

__all__ = ["ClassifierFree", "Guidance", "GuidanceConfig"]
