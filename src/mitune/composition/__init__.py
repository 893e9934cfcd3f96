"""Which candidates become the fine-tuning set: one strategy a file; the union is the registry.

A strategy takes a frame with `prompt_id`, `image_index` and score columns and returns the chosen
rows with `rank` 1..k. Random and lowest picks are the controls that every claim needs.
"""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.composition.lowest_k import LowestK
from mitune.composition.random_k import RandomK
from mitune.composition.top_k import TopK

__all__ = ["Composition", "LowestK", "RandomK", "TopK"]

Composition: TypeAlias = Annotated[TopK | LowestK | RandomK, Field(discriminator="kind")]
