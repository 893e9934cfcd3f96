"""Sources of reference pictures, one file each; the union is the registry."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.metrics.references.base import Reference
from mitune.metrics.references.folder import PictureFolder
from mitune.metrics.references.rendered import Rendered

__all__ = ["PictureFolder", "Reference", "ReferenceConfig", "Rendered"]

ReferenceConfig: TypeAlias = Annotated[Rendered | PictureFolder, Field(discriminator="kind")]
