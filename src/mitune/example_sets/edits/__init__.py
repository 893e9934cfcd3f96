"""Pictures with instructions how to edit them, one source a file; the union is the registry."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.example_sets.edits.attributes import AttributeEdits
from mitune.example_sets.edits.base import Edit, EditSource
from mitune.example_sets.edits.instruct_pix2pix import InstructPix2PixSamples

__all__ = ["AttributeEdits", "Edit", "EditConfig", "EditSource", "InstructPix2PixSamples"]

EditConfig: TypeAlias = Annotated[
    AttributeEdits | InstructPix2PixSamples, Field(discriminator="kind")
]
