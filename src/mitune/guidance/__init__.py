"""Inference-time methods, one file each; the union is the registry, one line per method."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.guidance.attend_and_excite import AttendAndExcite
from mitune.guidance.base import Guidance
from mitune.guidance.classifier_free import ClassifierFree

GuidanceConfig: TypeAlias = Annotated[
    ClassifierFree | AttendAndExcite,
    Field(discriminator="kind"),
]
for _method in (AttendAndExcite,):  # those that wrap another
    _method.model_rebuild(_types_namespace={"GuidanceConfig": GuidanceConfig})

__all__ = ["AttendAndExcite", "ClassifierFree", "Guidance", "GuidanceConfig"]
