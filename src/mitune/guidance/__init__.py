"""Inference-time methods, one file each; the union is the registry, one line per method."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.guidance.attend_and_excite import AttendAndExcite
from mitune.guidance.base import Guidance
from mitune.guidance.classifier_free import ClassifierFree
from mitune.guidance.s_cfg import SemanticAware
from mitune.guidance.structured_diffusion import StructuredDiffusion

GuidanceConfig: TypeAlias = Annotated[
    ClassifierFree
    | AttendAndExcite
    | StructuredDiffusion
    | SemanticAware,
    Field(discriminator="kind"),
]  # fmt: skip
for _method in (AttendAndExcite, StructuredDiffusion):  # those that wrap another
    _method.model_rebuild(_types_namespace={"GuidanceConfig": GuidanceConfig})

__all__ = [
    "AttendAndExcite",
    "ClassifierFree",
    "Guidance",
    "GuidanceConfig",
    "SemanticAware",
    "StructuredDiffusion",
]
