"""What methods that wrap another guidance have in common: what is underneath, and its scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field, model_validator
from typing_extensions import Self

from mitune.guidance.classifier_free import ClassifierFree
from mitune.language import ParserName

if TYPE_CHECKING:
    from mitune.guidance import GuidanceConfig


class Wrapping(BaseModel):
    """Settings with a guidance `over` which they act, and a `parser` that reads the prompts.

    `scale` is short for that of `over`, so `kind` may be changed where a `scale` stands beside it.
    """

    over: GuidanceConfig = Field(default_factory=ClassifierFree)
    scale: float | None = None
    parser: ParserName = "spacy"

    @model_validator(mode="after")
    def _one_scale(self) -> Self:
        given = "scale" in self.over.model_fields_set
        if self.scale is not None and given and self.over.scale != self.scale:
            raise ValueError(
                f"scale is {self.scale:g} and over.scale is {self.over.scale}: give one of them"
            )
        return self

    @property
    def parsers(self) -> dict[str, ParserName]:
        """Its own, and those of what is underneath."""
        beneath = {f"over.{field}": parser for field, parser in self.over.parsers.items()}
        return {"parser": self.parser, **beneath}

    @property
    def underneath(self) -> GuidanceConfig:
        """`over` at the scale that holds."""
        return self.over if self.scale is None else self.over.at_scale(self.scale)

    @property
    def without_pair(self) -> Self:
        """It needs what is underneath as it is."""
        return self

    def at_scale(self, scale: float) -> Self:
        """Over the same guidance with another scale."""
        return self.model_copy(
            update={"over": self.underneath.at_scale(scale), "scale": None},
        )
